"""For engines that reserve room for a prompt before they encode its images."""

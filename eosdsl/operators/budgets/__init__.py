"""Numbers of anchors that depend on the image, one file each."""

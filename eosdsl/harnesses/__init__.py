"""Other people's evaluations on reduced models: plug-ins for lmms-eval and VLMEvalKit."""

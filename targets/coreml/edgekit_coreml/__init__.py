"""The Core ML target: what edgekit writes as an `.mlpackage`, and what it runs where Core ML does not exist."""

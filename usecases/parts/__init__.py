"""The systems around Kafka, each as a process of this machine."""

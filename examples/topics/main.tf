# Topics on a cluster that is there already.
#
#   export TF_VAR_kafka_password=...
#   terraform init && terraform apply

terraform {
  required_providers {
    hikube = { source = "terraform.local/hikube/hikube" }
  }
}

variable "kafka_password" {
  description = "Password of the user `terraform`. It may create, alter, describe and delete topics."
  type        = string
  sensitive   = true
}

provider "hikube" {
  bootstrap_servers = "broker-0.example.com:9093,broker-1.example.com:9093"
  security_protocol = "SASL_SSL"
  sasl_mechanism    = "SCRAM-SHA-512"
  username          = "terraform"
  password          = var.kafka_password
  # The brokers' certificates are signed by an authority of your own:
  # ca_certificate = file("ca.pem")
}

# An event log, kept for a week.
resource "hikube_kafka_topic" "orders" {
  name               = "orders"
  partitions         = 12
  replication_factor = 3
  config = {
    "retention.ms"        = "604800000"
    "min.insync.replicas" = "2"
  }
}

# The last state of each customer, for ever.
resource "hikube_kafka_topic" "customers" {
  name               = "customers"
  partitions         = 6
  replication_factor = 3
  config = {
    "cleanup.policy" = "compact"
  }
}

# May be deleted by a plan: it holds nothing that cannot be made again.
resource "hikube_kafka_topic" "scratch" {
  name                = "scratch"
  partitions          = 1
  replication_factor  = 1
  deletion_protection = false
}

# A topic that somebody else has made is taken over by its name, not created:
#
# import {
#   to = hikube_kafka_topic.orders
#   id = "orders"
# }

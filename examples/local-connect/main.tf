# Two Connect workers as processes of this machine, beside the brokers of ../local-ensemble, and a connector on them. The
# topics of the workers come first. `terraform destroy` stops the workers.

terraform {
  required_providers {
    hikube = { source = "terraform.local/hikube/hikube" }
  }
}

locals {
  brokers = "127.0.0.1:30092,127.0.0.1:30093,127.0.0.1:30094"
  group   = "example-connect"
  workers = { for id in range(2) : id => 30183 + id }
  topics  = { configs = 1, offsets = 25, status = 5 }
}

provider "hikube" {
  bootstrap_servers = local.brokers
  connect_url       = join(",", [for port in values(local.workers) : "http://127.0.0.1:${port}"])
}

resource "hikube_kafka_topic" "internal" {
  for_each            = local.topics
  name                = "${local.group}.${each.key}"
  partitions          = each.value
  replication_factor  = 3
  config              = { "cleanup.policy" = "compact" }
  deletion_protection = false
}

resource "hikube_local_connect" "example" {
  name = local.group

  workers = [for id, port in local.workers : {
    id   = id
    heap = "512m"
    properties = {
      "bootstrap.servers"                = local.brokers
      "group.id"                         = local.group
      "config.storage.topic"             = "${local.group}.configs"
      "offset.storage.topic"             = "${local.group}.offsets"
      "status.storage.topic"             = "${local.group}.status"
      "key.converter"                    = "org.apache.kafka.connect.storage.StringConverter"
      "value.converter"                  = "org.apache.kafka.connect.storage.StringConverter"
      "listeners"                        = "http://127.0.0.1:${port}"
      "plugin.path"                      = "plugins"
      "scheduled.rebalance.max.delay.ms" = "10000"
    }
  }]

  # An archive has a checksum: archive = "https://...", checksum = "sha256:...".
  plugins = [{
    name  = "file"
    maven = "org.apache.kafka:connect-file:3.9.2"
  }]

  depends_on = [hikube_kafka_topic.internal]
}

resource "hikube_kafka_connector" "lines" {
  name  = "lines"
  class = "org.apache.kafka.connect.file.FileStreamSinkConnector"
  config = {
    "topics" = "orders"
    "file"   = "orders.txt"
  }
  depends_on = [hikube_local_connect.example]
}

output "processes" {
  description = "Each worker with what it is."
  value       = hikube_local_connect.example.processes
}

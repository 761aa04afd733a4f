# Three ZooKeeper servers and three brokers as processes of this machine, and a topic. It takes Java 17 and Maven, which
# brings the jars once. `terraform destroy` stops the servers and keeps their data, unless keep_data is false.

terraform {
  required_providers {
    hikube = { source = "terraform.local/hikube/hikube" }
  }
}

locals {
  zookeeper = { for id in range(1, 4) : id => 23180 + id }
  brokers   = { for id in range(3) : id => 30092 + id }

  voters  = { for id, port in local.zookeeper : "server.${id}" => "127.0.0.1:${port + 100}:${port + 200}" }
  connect = join(",", [for id, port in local.zookeeper : "127.0.0.1:${port}"])
}

resource "hikube_local_ensemble" "example" {
  name      = "example"
  keep_data = false

  zookeeper = [for id, port in local.zookeeper : {
    id   = id
    heap = "128m"
    properties = merge(local.voters, {
      "clientPort"             = tostring(port)
      "clientPortAddress"      = "127.0.0.1"
      "dataDir"                = "data"
      "tickTime"               = "500"
      "initLimit"              = "60"
      "syncLimit"              = "4"
      "maxSessionTimeout"      = "40000"
      "admin.enableServer"     = "false"
      "4lw.commands.whitelist" = "srvr,mntr,conf"
    })
  }]

  brokers = [for id, port in local.brokers : {
    id   = id
    heap = "512m"
    properties = {
      "broker.id"                                = tostring(id)
      "listeners"                                = "PLAINTEXT://127.0.0.1:${port}"
      "log.dirs"                                 = "data"
      "zookeeper.connect"                        = local.connect
      "default.replication.factor"               = "3"
      "min.insync.replicas"                      = "2"
      "offsets.topic.replication.factor"         = "3"
      "transaction.state.log.replication.factor" = "3"
      "transaction.state.log.min.isr"            = "2"
      "auto.create.topics.enable"                = "false"
      "replica.fetch.backoff.ms"                 = "100"
      "zookeeper.session.timeout.ms"             = "4000"
    }
  }]
}

# Addresses that are known while Terraform plans: a plan can then ask the running cluster.
provider "hikube" {
  bootstrap_servers = join(",", [for port in values(local.brokers) : "127.0.0.1:${port}"])
  zookeeper_servers = local.connect
}

resource "hikube_kafka_topic" "orders" {
  name                = "orders"
  partitions          = 6
  replication_factor  = 3
  deletion_protection = false
  depends_on          = [hikube_local_ensemble.example]
}

data "hikube_kafka_quorum" "this" {
  expected_brokers           = 3
  expected_zookeeper_servers = 3
  depends_on                 = [hikube_local_ensemble.example, hikube_kafka_topic.orders]
}

output "bootstrap_servers" {
  description = "Where a client starts."
  value       = hikube_local_ensemble.example.bootstrap_servers
}

output "quorum" {
  description = "`healthy`, or why not."
  value       = data.hikube_kafka_quorum.this.healthy ? "healthy" : join("; ", data.hikube_kafka_quorum.this.reasons)
}

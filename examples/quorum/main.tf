# Whether ZooKeeper and Kafka are healthy, each server and broker asked by itself. Unhealthy is an answer, not an error:
# what the apply makes of it is said in the postcondition.

terraform {
  required_providers {
    hikube = { source = "terraform.local/hikube/hikube" }
  }
}

provider "hikube" {
  bootstrap_servers = "broker-0.example.com:9092,broker-1.example.com:9092,broker-2.example.com:9092"
  zookeeper_servers = "zk-0.example.com:2181,zk-1.example.com:2181,zk-2.example.com:2181/kafka"
}

data "hikube_kafka_quorum" "this" {
  expected_brokers           = 3
  expected_zookeeper_servers = 3

  lifecycle {
    postcondition {
      condition     = self.healthy
      error_message = join("\n", self.reasons)
    }
  }
}

output "zookeeper_leader" {
  description = "Address of the leading ZooKeeper server."
  value       = data.hikube_kafka_quorum.this.zookeeper_leader
}

output "controller" {
  description = "Id of the broker that is the controller."
  value       = data.hikube_kafka_quorum.this.controller
}

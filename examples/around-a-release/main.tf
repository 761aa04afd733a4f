# What has to happen before and after a Helm release, so that numbers and sizes can change under load: members of
# ZooKeeper, brokers, and claims. `KafkaPlatform(target=KubernetesTarget(...))` makes the same from a declaration.
#
# The two terraform_data stand where your helm_release of the charts `zookeeper` and `kafka` would: give those the same
# depends_on, and the same numbers and sizes in their values.

terraform {
  required_providers {
    hikube = { source = "terraform.local/hikube/hikube" }
  }
}

locals {
  namespace = "events"
  brokers   = 3
  voters    = 3

  members = { for n in range(local.voters) :
    n + 1 => "events-zookeeper-${n}.events-zookeeper-headless.${local.namespace}.svc:2888:3888:participant;2181"
  }
}

# A plan shows which cluster it is about. The provider `helm` does not read KUBECONFIG: give it config_path and config_paths
# of this.
data "hikube_kubernetes_cluster" "this" {}

provider "hikube" {
  kubernetes {
    namespace         = local.namespace
    release           = "events-kafka"
    zookeeper_release = "events-zookeeper"
  }
}

# ---- ZooKeeper --------------------------------------------------------------------------------------------------------

# Claims grow, and members leave, before the release ...
resource "hikube_volume_claims" "zookeeper" {
  stateful_set = "events-zookeeper"
  templates = {
    data = { size = "5Gi" }
  }
}

resource "hikube_zookeeper_members" "before" {
  applied      = "before"
  stateful_set = "events-zookeeper"
  secret       = "events-zookeeper-membership"
  servers      = local.members
}

resource "terraform_data" "zookeeper_release" {
  input      = { replicas = local.voters, size = "5Gi" }
  depends_on = [hikube_volume_claims.zookeeper, hikube_zookeeper_members.before]
}

# ... its servers are waited for (helm_release: wait = false), and members join after it.
resource "hikube_rollout" "zookeeper" {
  stateful_set = "events-zookeeper"
  replicas     = local.voters
  trigger      = sha256(jsonencode(terraform_data.zookeeper_release.input)) # helm_release: its values
}

resource "hikube_zookeeper_members" "after" {
  applied      = "after"
  stateful_set = "events-zookeeper"
  secret       = "events-zookeeper-membership"
  servers      = local.members
  depends_on   = [hikube_rollout.zookeeper]
}

# ---- Kafka ------------------------------------------------------------------------------------------------------------

# A destroy goes the other way: ZooKeeper stays until these claims have seen the last broker's pod end.
resource "hikube_volume_claims" "kafka" {
  stateful_set = "events-kafka"
  templates = {
    data = { size = "100Gi", storage_class = "replicated" }
  }
  depends_on = [hikube_zookeeper_members.after]
}

# With fewer brokers than before, their replicas move to those that stay, before any pod goes.
resource "hikube_kafka_brokers" "this" {
  brokers    = local.brokers
  drain      = true
  depends_on = [hikube_zookeeper_members.after]
}

resource "terraform_data" "kafka_release" {
  input      = { replicas = local.brokers, size = "100Gi" }
  depends_on = [hikube_volume_claims.kafka, hikube_kafka_brokers.this]
}

resource "hikube_rollout" "kafka" {
  stateful_set = "events-kafka"
  replicas     = local.brokers
  trigger      = sha256(jsonencode(terraform_data.kafka_release.input))
}

resource "hikube_kafka_topic" "orders" {
  name               = "orders"
  partitions         = 12
  replication_factor = 3
  depends_on         = [hikube_rollout.kafka]
}

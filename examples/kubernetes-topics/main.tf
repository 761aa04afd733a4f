# Topics on a cluster in Kubernetes. The provider opens port-forwards to the brokers itself, for as long as it runs: the
# user of the kubeconfig needs `get` on pods, and `get` and `create` on pods/portforward, in the brokers' namespace.
#
# It takes brokers with a forward listener, which this project's chart `kafka` gives them.

terraform {
  required_providers {
    hikube = { source = "terraform.local/hikube/hikube" }
  }
}

variable "kubeconfig" {
  description = "Path of the kubeconfig; null means KUBE_CONFIG_PATH, KUBECONFIG, then ~/.kube/config."
  type        = string
  default     = null
}

provider "hikube" {
  kubernetes {
    kubeconfig = var.kubeconfig
    namespace  = "events"
    release    = "events-kafka"
  }
}

locals {
  topics = {
    orders   = 12
    payments = 6
    audit    = 3
  }
}

resource "hikube_kafka_topic" "this" {
  for_each = local.topics

  name               = each.key
  partitions         = each.value
  replication_factor = 3
}

# Connectors on the workers of a Connect cluster that is there already.
#
#   terraform init && terraform apply

terraform {
  required_providers {
    hikube = { source = "terraform.local/hikube/hikube" }
  }
}

provider "hikube" {
  # The first worker that answers is asked. In Kubernetes, a block takes its place:
  # kubernetes {
  #   namespace       = "kafka"
  #   release         = "events-kafka"
  #   connect_release = "events-connect"
  # }
  connect_url = "http://connect-0.example.com:8083,http://connect-1.example.com:8083"
}

# Changes of a database. It rests until the database has its publication: set state to "running" then.
resource "hikube_kafka_connector" "orders" {
  name  = "orders"
  class = "io.debezium.connector.postgresql.PostgresConnector"
  state = "stopped"
  config = {
    "topic.prefix"          = "shop"
    "plugin.name"           = "pgoutput"
    "database.hostname"     = "postgres.example.com"
    "database.dbname"       = "shop"
    "database.user"         = "connect"
    "database.password"     = "$${dir:/secrets/shop:password}"
    "slot.name"             = "orders"
    "publication.name"      = "orders"
    "heartbeat.interval.ms" = "10000"
  }
}

# What a table is filled with. Whoever deletes it wants the next one to deliver every record again.
resource "hikube_kafka_connector" "payments" {
  name      = "payments-to-warehouse"
  class     = "io.debezium.connector.jdbc.JdbcSinkConnector"
  tasks_max = 4
  config = {
    "topics"                                          = "payments"
    "connection.url"                                  = "jdbc:postgresql://warehouse.example.com/payments"
    "connection.username"                             = "connect"
    "connection.password"                             = "$${dir:/secrets/warehouse:password}"
    "insert.mode"                                     = "upsert"
    "primary.key.mode"                                = "record_key"
    "errors.tolerance"                                = "all"
    "errors.deadletterqueue.topic.name"               = "payments-to-warehouse.dead-letters"
    "errors.deadletterqueue.topic.replication.factor" = "3"
    "errors.deadletterqueue.context.headers.enable"   = "true"
  }

  offsets {
    on_destroy = "reset"
  }
}

# A connector that somebody else has made is taken over by its name, not created:
#
# import {
#   to = hikube_kafka_connector.orders
#   id = "orders"
# }

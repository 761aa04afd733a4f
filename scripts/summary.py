# ruff: noqa: INP001  # a script, run by its path
"""What `make demo` says at its end: what runs, where, and what to do with it."""

import sys
from pathlib import Path

from hikube_kafka.smoke.contract_file import read_contract

deployment = Path(sys.argv[2]).read_text("utf-8", errors="replace")
contract = read_contract(Path(sys.argv[1]))
topic = contract.topics[0].name
unchanged = "No changes." in deployment  # Terraform's own words
done = "Everything was in place: nothing was changed." if unchanged else "Deployed."

sys.stdout.write(f"""
{done} The platform {contract.platform!r} runs on this machine, and has just been proven.

  Brokers      {contract.bootstrap_servers}
  ZooKeeper    {contract.zookeeper_connect}
  Topics       {", ".join(each.name for each in contract.topics)}

  Look         .venv/bin/hikube-kafka local status
  Produce      echo 'order 1' | .venv/bin/hikube-kafka local kafka console-producer --topic {topic}
  Consume      .venv/bin/hikube-kafka local kafka console-consumer --topic {topic} --from-beginning --max-messages 1
  Change       edit a topic in stacks/local.py; deploy and prove it with make demo
               (only the plan: node_modules/.bin/cdktf diff local --skip-provider-lock)
  Prove        .venv/bin/hikube-kafka smoke --outputs {sys.argv[1]}
  Stop         .venv/bin/hikube-kafka local stop        (messages stay; make demo starts the servers again)
  Destroy      make down                                (servers, topics and messages)
""")

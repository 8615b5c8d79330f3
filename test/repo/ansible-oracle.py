"""Reads a JSON list of {"directory", "patterns"} on stdin; prints what Ansible makes of each inventory, as ansible-inventory does."""

import json
import sys

from ansible import context
from ansible.cli.inventory import INTERNAL_VARS
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

context.CLIARGS = ImmutableDict(basedir=None)


def variables_of(host, manager):
    found = manager.get_vars(host=host, include_hostvars=False, stage="all")
    return {name: value for name, value in found.items() if name not in INTERNAL_VARS}


def hosts_of(pattern, inventory):
    return sorted(host.name for host in inventory.get_hosts(pattern))


def read(case):
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[case["directory"]])
    manager = VariableManager(loader=loader, inventory=inventory)
    return {
        "hosts": {host.name: variables_of(host, manager) for host in inventory.get_hosts()},
        "groups": {name: sorted(h.name for h in group.get_hosts()) for name, group in inventory.groups.items()},
        "patterns": {pattern: hosts_of(pattern, inventory) for pattern in case["patterns"]},
    }


answers = [read(case) for case in json.load(sys.stdin)]
json.dump(answers, sys.stdout, cls=AnsibleJSONEncoder, preprocess_unsafe=True)

// Written by `npm run schemas` from scripts/schema-source.ts. Do not edit.

export const policiesSchema: object = JSON.parse(`{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "gitwall policies",
  "type": "object",
  "properties": {
    "sets": {
      "type": "object",
      "description": "Named lists of addresses.",
      "patternProperties": {
        "^[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,61}[A-Za-z0-9_.-])?$": {
          "type": [
            "array",
            "object"
          ],
          "description": "Addresses (192.0.2.7), prefixes (10.0.0.0/8) and ranges (192.0.2.7-192.0.2.9), IPv4 and IPv6. Or a mapping of \\"include\\" and \\"exclude\\".",
          "items": {
            "type": "string"
          },
          "properties": {
            "include": {
              "type": "array",
              "items": {
                "type": "string"
              },
              "description": "Addresses (192.0.2.7), prefixes (10.0.0.0/8) and ranges (192.0.2.7-192.0.2.9), IPv4 and IPv6."
            },
            "exclude": {
              "type": "array",
              "items": {
                "type": "string"
              },
              "description": "Taken out of \\"include\\"."
            }
          },
          "required": [
            "include"
          ],
          "additionalProperties": false
        }
      },
      "additionalProperties": false,
      "patternErrorMessage": "letters, digits, spaces, \\"_\\", \\".\\" and \\"-\\", at most 63, a letter or digit first"
    },
    "services": {
      "type": "object",
      "description": "Names for protocols and ports, beside the built-in ones (ssh, https, dns, …).",
      "patternProperties": {
        "^[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,61}[A-Za-z0-9_.-])?$": {
          "type": [
            "string",
            "array"
          ],
          "minLength": 1,
          "minItems": 1,
          "items": {
            "type": "string",
            "minLength": 1
          },
          "description": "What a packet must be: tcp/443, udp/5000-5010, icmp/echo-request, proto/47, or a built-in service."
        }
      },
      "additionalProperties": false,
      "patternErrorMessage": "letters, digits, spaces, \\"_\\", \\".\\" and \\"-\\", at most 63, a letter or digit first"
    },
    "firewalls": {
      "type": "object",
      "description": "Lists of rules, and whom they protect.",
      "patternProperties": {
        "^[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,61}[A-Za-z0-9_.-])?$": {
          "type": "object",
          "required": [
            "protects"
          ],
          "properties": {
            "protects": {
              "type": "string",
              "minLength": 1,
              "description": "Ansible host pattern of guests or hypervisors: \\"web:&prod:!canary\\"."
            },
            "order": {
              "type": "integer",
              "minimum": 0,
              "maximum": 10000,
              "default": 100,
              "description": "Firewalls of a lower order come first."
            },
            "description": {
              "type": "string",
              "description": "For people."
            },
            "inbound": {
              "type": "array",
              "items": {
                "type": "object",
                "required": [
                  "from"
                ],
                "properties": {
                  "name": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 100,
                    "description": "Unique in its firewall. The identity of the rule: counters and logs refer to it."
                  },
                  "allow": {
                    "type": [
                      "string",
                      "array"
                    ],
                    "minLength": 1,
                    "minItems": 1,
                    "items": {
                      "type": "string",
                      "minLength": 1
                    },
                    "description": "Services that the rule lets pass: ssh, tcp/443, any, or a list."
                  },
                  "deny": {
                    "type": [
                      "string",
                      "array"
                    ],
                    "minLength": 1,
                    "minItems": 1,
                    "items": {
                      "type": "string",
                      "minLength": 1
                    },
                    "description": "Services that the rule drops silently: ssh, tcp/443, any, or a list."
                  },
                  "reject": {
                    "type": [
                      "string",
                      "array"
                    ],
                    "minLength": 1,
                    "minItems": 1,
                    "items": {
                      "type": "string",
                      "minLength": 1
                    },
                    "description": "Services that the rule answers with an error: ssh, tcp/443, any, or a list."
                  },
                  "from": {
                    "type": [
                      "string",
                      "array"
                    ],
                    "minLength": 1,
                    "minItems": 1,
                    "items": {
                      "type": "string",
                      "minLength": 1
                    },
                    "description": "Who sends: any, set:NAME, group:NAME, guest:NAME, host:NAME, an address, a prefix or a range; or a list of them."
                  },
                  "enabled": {
                    "type": "boolean",
                    "default": true,
                    "description": "false: the rule is kept but not applied."
                  },
                  "description": {
                    "type": "string",
                    "description": "For people."
                  }
                },
                "description": "One line of a firewall: a verdict on services, and the other end.",
                "additionalProperties": false,
                "oneOf": [
                  {
                    "required": [
                      "allow"
                    ]
                  },
                  {
                    "required": [
                      "deny"
                    ]
                  },
                  {
                    "required": [
                      "reject"
                    ]
                  }
                ]
              },
              "description": "Rules for traffic to the protected. [] denies everything; left out: not filtered."
            },
            "outbound": {
              "type": "array",
              "items": {
                "type": "object",
                "required": [
                  "to"
                ],
                "properties": {
                  "name": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 100,
                    "description": "Unique in its firewall. The identity of the rule: counters and logs refer to it."
                  },
                  "allow": {
                    "type": [
                      "string",
                      "array"
                    ],
                    "minLength": 1,
                    "minItems": 1,
                    "items": {
                      "type": "string",
                      "minLength": 1
                    },
                    "description": "Services that the rule lets pass: ssh, tcp/443, any, or a list."
                  },
                  "deny": {
                    "type": [
                      "string",
                      "array"
                    ],
                    "minLength": 1,
                    "minItems": 1,
                    "items": {
                      "type": "string",
                      "minLength": 1
                    },
                    "description": "Services that the rule drops silently: ssh, tcp/443, any, or a list."
                  },
                  "reject": {
                    "type": [
                      "string",
                      "array"
                    ],
                    "minLength": 1,
                    "minItems": 1,
                    "items": {
                      "type": "string",
                      "minLength": 1
                    },
                    "description": "Services that the rule answers with an error: ssh, tcp/443, any, or a list."
                  },
                  "to": {
                    "type": [
                      "string",
                      "array"
                    ],
                    "minLength": 1,
                    "minItems": 1,
                    "items": {
                      "type": "string",
                      "minLength": 1
                    },
                    "description": "Who receives: any, set:NAME, group:NAME, guest:NAME, host:NAME, an address, a prefix or a range; or a list of them."
                  },
                  "enabled": {
                    "type": "boolean",
                    "default": true,
                    "description": "false: the rule is kept but not applied."
                  },
                  "description": {
                    "type": "string",
                    "description": "For people."
                  }
                },
                "description": "One line of a firewall: a verdict on services, and the other end.",
                "additionalProperties": false,
                "oneOf": [
                  {
                    "required": [
                      "allow"
                    ]
                  },
                  {
                    "required": [
                      "deny"
                    ]
                  },
                  {
                    "required": [
                      "reject"
                    ]
                  }
                ]
              },
              "description": "Rules for traffic from the protected. [] denies everything; left out: not filtered."
            }
          },
          "description": "Rules in order, the first that matches wins, and whom they protect.",
          "additionalProperties": false
        }
      },
      "additionalProperties": false,
      "patternErrorMessage": "letters, digits, spaces, \\"_\\", \\".\\" and \\"-\\", at most 63, a letter or digit first"
    },
    "tests": {
      "type": "array",
      "items": {
        "type": "object",
        "required": [
          "name",
          "from",
          "to",
          "port",
          "expect"
        ],
        "properties": {
          "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 100,
            "description": "What the test says, in words."
          },
          "from": {
            "type": "string",
            "minLength": 1,
            "description": "Who sends: guest:NAME, host:NAME, group:NAME, set:NAME, an address or a prefix."
          },
          "to": {
            "type": "string",
            "minLength": 1,
            "description": "Who receives: guest:NAME, host:NAME, group:NAME, set:NAME, an address or a prefix."
          },
          "port": {
            "type": "string",
            "minLength": 1,
            "description": "One protocol and port: tcp/443, udp/53, icmp, https."
          },
          "expect": {
            "enum": [
              "allow",
              "deny"
            ],
            "description": "The verdict that must hold for every pair of the two ends."
          },
          "description": {
            "type": "string",
            "description": "For people."
          }
        },
        "description": "One statement about who may talk to whom.",
        "additionalProperties": false
      },
      "description": "What must hold: checked before anything is written to a host."
    }
  },
  "description": "Sets, services, firewalls and tests; any number of such files is merged.",
  "additionalProperties": false
}`)

export const inventorySchema: object = JSON.parse(`{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "gitwall inventory: an Ansible inventory with the variable \\"gitwall\\"",
  "type": [
    "object",
    "null"
  ],
  "description": "Groups by name.",
  "additionalProperties": {
    "$ref": "#/definitions/Group"
  },
  "definitions": {
    "Group": {
      "type": [
        "object",
        "null"
      ],
      "description": "A group of hosts, as Ansible means it.",
      "additionalProperties": false,
      "properties": {
        "hosts": {
          "type": [
            "object",
            "null"
          ],
          "description": "Hosts by name; ranges such as hv-[1:4] are expanded.",
          "additionalProperties": {
            "$ref": "#/definitions/Variables"
          }
        },
        "children": {
          "type": [
            "object",
            "null"
          ],
          "description": "Groups within this group.",
          "additionalProperties": {
            "$ref": "#/definitions/Group"
          }
        },
        "vars": {
          "$ref": "#/definitions/Variables"
        }
      }
    },
    "Variables": {
      "type": [
        "object",
        "null"
      ],
      "description": "Variables of a host or group. Those not named here are left to Ansible.",
      "additionalProperties": true,
      "properties": {
        "gitwall": {
          "type": "object",
          "properties": {
            "bridges": {
              "type": "object",
              "description": "Hypervisor: its bridges by name.",
              "patternProperties": {
                "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$": {
                  "type": "object",
                  "required": [
                    "datapath"
                  ],
                  "properties": {
                    "datapath": {
                      "enum": [
                        "ovs",
                        "linux"
                      ],
                      "description": "Open vSwitch, or a bridge of the Linux kernel."
                    },
                    "uplinks": {
                      "type": "array",
                      "items": {
                        "type": "string",
                        "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$",
                        "patternErrorMessage": "letters, digits, \\"_\\", \\".\\" and \\"-\\", at most 15, a letter or digit first",
                        "description": "A port."
                      },
                      "description": "Ports that lead out of the host. Left out: found on the host."
                    },
                    "unmanaged": {
                      "enum": [
                        "leave",
                        "drop"
                      ],
                      "description": "What happens to traffic of ports that no guest of the inventory has. Default: leave."
                    }
                  },
                  "description": "A bridge that guests are attached to.",
                  "additionalProperties": false
                }
              },
              "additionalProperties": false,
              "patternErrorMessage": "letters, digits, \\"_\\", \\".\\" and \\"-\\", at most 15, a letter or digit first"
            },
            "management": {
              "type": "array",
              "items": {
                "type": "string"
              },
              "description": "Hypervisor: sources whose SSH no policy can shut out."
            },
            "host": {
              "type": "string",
              "description": "Guest: the inventory name of the hypervisor it runs on."
            },
            "nics": {
              "type": "array",
              "items": {
                "type": "object",
                "required": [
                  "port",
                  "bridge",
                  "network",
                  "mac",
                  "addresses"
                ],
                "properties": {
                  "port": {
                    "type": "string",
                    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$",
                    "patternErrorMessage": "letters, digits, \\"_\\", \\".\\" and \\"-\\", at most 15, a letter or digit first",
                    "description": "Interface on the hypervisor behind which the guest sits: tap101i0, vnet3, veth101i0."
                  },
                  "bridge": {
                    "type": "string",
                    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$",
                    "patternErrorMessage": "letters, digits, \\"_\\", \\".\\" and \\"-\\", at most 15, a letter or digit first",
                    "description": "Bridge of the hypervisor that the port belongs to."
                  },
                  "network": {
                    "type": "string",
                    "description": "Name of one of \\"gitwall_networks\\"."
                  },
                  "mac": {
                    "type": "string",
                    "description": "Ethernet address, in quotes: \\"52:54:00:00:01:01\\"."
                  },
                  "addresses": {
                    "type": "array",
                    "items": {
                      "type": "string"
                    },
                    "description": "Addresses of the guest on this interface: the only ones it may use as a source."
                  },
                  "pairs": {
                    "type": "array",
                    "items": {
                      "type": "object",
                      "required": [
                        "prefix"
                      ],
                      "properties": {
                        "mac": {
                          "type": "string",
                          "description": "Ethernet address, in quotes. Left out: the one of the interface."
                        },
                        "prefix": {
                          "type": "string",
                          "description": "Address or prefix."
                        }
                      },
                      "description": "A source: a prefix, and a MAC if it is not the own one.",
                      "additionalProperties": false
                    },
                    "description": "Further sources the guest may use, e.g. a virtual address of VRRP or a network routed behind it."
                  },
                  "antispoof": {
                    "enum": [
                      "on",
                      "off",
                      true,
                      false
                    ],
                    "description": "off: the guest may send with any source address. Default: on."
                  },
                  "dhcp_server": {
                    "type": "boolean",
                    "default": false,
                    "description": "true: the guest may answer DHCP."
                  },
                  "router_advertisements": {
                    "type": "boolean",
                    "default": false,
                    "description": "true: the guest may send IPv6 router advertisements."
                  }
                },
                "description": "A network interface of a guest.",
                "additionalProperties": false
              },
              "description": "Guest: its network interfaces."
            }
          },
          "description": "What gitwall knows of the host: a hypervisor has \\"bridges\\", a guest has \\"host\\" and \\"nics\\".",
          "additionalProperties": false
        },
        "gitwall_networks": {
          "type": "object",
          "description": "Networks that guests are attached to, of the whole fleet.",
          "patternProperties": {
            "^[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,61}[A-Za-z0-9_.-])?$": {
              "type": "object",
              "required": [
                "subnets"
              ],
              "properties": {
                "vlan": {
                  "type": "integer",
                  "minimum": 1,
                  "maximum": 4094,
                  "description": "802.1Q id on the uplinks. Left out: untagged."
                },
                "subnets": {
                  "type": "array",
                  "items": {
                    "type": "string"
                  },
                  "description": "Prefixes of the network."
                },
                "gateways": {
                  "type": "array",
                  "items": {
                    "type": "string"
                  },
                  "description": "Addresses of its routers: no guest may use them."
                },
                "zone": {
                  "type": "integer",
                  "minimum": 1,
                  "maximum": 65535,
                  "description": "Connection tracking zone. Left out: derived from the name."
                }
              },
              "description": "A network that guests are attached to.",
              "additionalProperties": false
            }
          },
          "additionalProperties": false,
          "patternErrorMessage": "letters, digits, spaces, \\"_\\", \\".\\" and \\"-\\", at most 63, a letter or digit first"
        },
        "gitwall_management": {
          "type": "array",
          "items": {
            "type": "string"
          },
          "description": "Sources whose SSH to a hypervisor no policy can shut out; added to its own \\"management\\"."
        },
        "ansible_host": {
          "type": "string",
          "description": "Name or address to connect to."
        },
        "ansible_port": {
          "type": [
            "integer",
            "string"
          ],
          "description": "Port of sshd."
        },
        "ansible_user": {
          "type": "string",
          "description": "User to log in as."
        },
        "ansible_ssh_private_key_file": {
          "type": "string",
          "description": "File of the private key."
        },
        "ansible_become": {
          "type": [
            "boolean",
            "string"
          ],
          "description": "true: commands run under sudo -n."
        },
        "ansible_ssh_common_args": {
          "type": "string",
          "description": "Only -J HOST or -o ProxyJump=HOST."
        }
      }
    }
  }
}`)

export const variablesSchema: object = JSON.parse(`{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "Ansible variables, \\"gitwall\\" among them",
  "type": [
    "object",
    "null"
  ],
  "description": "Variables of a host or group. Those not named here are left to Ansible.",
  "additionalProperties": true,
  "properties": {
    "gitwall": {
      "type": "object",
      "properties": {
        "bridges": {
          "type": "object",
          "description": "Hypervisor: its bridges by name.",
          "patternProperties": {
            "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$": {
              "type": "object",
              "required": [
                "datapath"
              ],
              "properties": {
                "datapath": {
                  "enum": [
                    "ovs",
                    "linux"
                  ],
                  "description": "Open vSwitch, or a bridge of the Linux kernel."
                },
                "uplinks": {
                  "type": "array",
                  "items": {
                    "type": "string",
                    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$",
                    "patternErrorMessage": "letters, digits, \\"_\\", \\".\\" and \\"-\\", at most 15, a letter or digit first",
                    "description": "A port."
                  },
                  "description": "Ports that lead out of the host. Left out: found on the host."
                },
                "unmanaged": {
                  "enum": [
                    "leave",
                    "drop"
                  ],
                  "description": "What happens to traffic of ports that no guest of the inventory has. Default: leave."
                }
              },
              "description": "A bridge that guests are attached to.",
              "additionalProperties": false
            }
          },
          "additionalProperties": false,
          "patternErrorMessage": "letters, digits, \\"_\\", \\".\\" and \\"-\\", at most 15, a letter or digit first"
        },
        "management": {
          "type": "array",
          "items": {
            "type": "string"
          },
          "description": "Hypervisor: sources whose SSH no policy can shut out."
        },
        "host": {
          "type": "string",
          "description": "Guest: the inventory name of the hypervisor it runs on."
        },
        "nics": {
          "type": "array",
          "items": {
            "type": "object",
            "required": [
              "port",
              "bridge",
              "network",
              "mac",
              "addresses"
            ],
            "properties": {
              "port": {
                "type": "string",
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$",
                "patternErrorMessage": "letters, digits, \\"_\\", \\".\\" and \\"-\\", at most 15, a letter or digit first",
                "description": "Interface on the hypervisor behind which the guest sits: tap101i0, vnet3, veth101i0."
              },
              "bridge": {
                "type": "string",
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$",
                "patternErrorMessage": "letters, digits, \\"_\\", \\".\\" and \\"-\\", at most 15, a letter or digit first",
                "description": "Bridge of the hypervisor that the port belongs to."
              },
              "network": {
                "type": "string",
                "description": "Name of one of \\"gitwall_networks\\"."
              },
              "mac": {
                "type": "string",
                "description": "Ethernet address, in quotes: \\"52:54:00:00:01:01\\"."
              },
              "addresses": {
                "type": "array",
                "items": {
                  "type": "string"
                },
                "description": "Addresses of the guest on this interface: the only ones it may use as a source."
              },
              "pairs": {
                "type": "array",
                "items": {
                  "type": "object",
                  "required": [
                    "prefix"
                  ],
                  "properties": {
                    "mac": {
                      "type": "string",
                      "description": "Ethernet address, in quotes. Left out: the one of the interface."
                    },
                    "prefix": {
                      "type": "string",
                      "description": "Address or prefix."
                    }
                  },
                  "description": "A source: a prefix, and a MAC if it is not the own one.",
                  "additionalProperties": false
                },
                "description": "Further sources the guest may use, e.g. a virtual address of VRRP or a network routed behind it."
              },
              "antispoof": {
                "enum": [
                  "on",
                  "off",
                  true,
                  false
                ],
                "description": "off: the guest may send with any source address. Default: on."
              },
              "dhcp_server": {
                "type": "boolean",
                "default": false,
                "description": "true: the guest may answer DHCP."
              },
              "router_advertisements": {
                "type": "boolean",
                "default": false,
                "description": "true: the guest may send IPv6 router advertisements."
              }
            },
            "description": "A network interface of a guest.",
            "additionalProperties": false
          },
          "description": "Guest: its network interfaces."
        }
      },
      "description": "What gitwall knows of the host: a hypervisor has \\"bridges\\", a guest has \\"host\\" and \\"nics\\".",
      "additionalProperties": false
    },
    "gitwall_networks": {
      "type": "object",
      "description": "Networks that guests are attached to, of the whole fleet.",
      "patternProperties": {
        "^[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,61}[A-Za-z0-9_.-])?$": {
          "type": "object",
          "required": [
            "subnets"
          ],
          "properties": {
            "vlan": {
              "type": "integer",
              "minimum": 1,
              "maximum": 4094,
              "description": "802.1Q id on the uplinks. Left out: untagged."
            },
            "subnets": {
              "type": "array",
              "items": {
                "type": "string"
              },
              "description": "Prefixes of the network."
            },
            "gateways": {
              "type": "array",
              "items": {
                "type": "string"
              },
              "description": "Addresses of its routers: no guest may use them."
            },
            "zone": {
              "type": "integer",
              "minimum": 1,
              "maximum": 65535,
              "description": "Connection tracking zone. Left out: derived from the name."
            }
          },
          "description": "A network that guests are attached to.",
          "additionalProperties": false
        }
      },
      "additionalProperties": false,
      "patternErrorMessage": "letters, digits, spaces, \\"_\\", \\".\\" and \\"-\\", at most 63, a letter or digit first"
    },
    "gitwall_management": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Sources whose SSH to a hypervisor no policy can shut out; added to its own \\"management\\"."
    },
    "ansible_host": {
      "type": "string",
      "description": "Name or address to connect to."
    },
    "ansible_port": {
      "type": [
        "integer",
        "string"
      ],
      "description": "Port of sshd."
    },
    "ansible_user": {
      "type": "string",
      "description": "User to log in as."
    },
    "ansible_ssh_private_key_file": {
      "type": "string",
      "description": "File of the private key."
    },
    "ansible_become": {
      "type": [
        "boolean",
        "string"
      ],
      "description": "true: commands run under sudo -n."
    },
    "ansible_ssh_common_args": {
      "type": "string",
      "description": "Only -J HOST or -o ProxyJump=HOST."
    }
  }
}`)

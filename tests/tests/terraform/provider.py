"""A provider of Terraform that has the AWS provider's schema (schema.json) and makes what functions read in the server that
AWS_ENDPOINT_URL names: parameters, buckets, roles. Of everything else it only says what an ARN would look like.

It is served in the process of the command line.
"""

import concurrent.futures
import json
import os
import pathlib
import traceback
import uuid

import grpc
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.types import Unknown
from tf.utils import Diagnostics, read_dynamic_value, to_dynamic_value

import cloud

NESTING = pb.Schema.NestedBlock.NestingMode
RANDOM = {"random_uuid": {"id": ["string", "c"], "keepers": [["map", "string"], "o"], "result": ["string", "c"]}}


# A server ends with the last reference to it.
SERVERS = []


def is_block(entry):
    return isinstance(entry, dict)


def schema_of(entries):
    return pb.Schema(version=0, block=block_of(entries))


def block_of(entries):
    block = pb.Schema.Block(version=0)
    for name, entry in entries.items():
        if name == "":
            continue
        if is_block(entry):
            head = entry[""]
            block.block_types.append(
                pb.Schema.NestedBlock(
                    type_name=name,
                    block=block_of(entry),
                    nesting=NESTING.Value(head["nesting"].upper()),
                    min_items=head.get("least", 0),
                    max_items=head.get("most", 0),
                )
            )
        else:
            kind, flags = entry
            block.attributes.append(
                pb.Schema.Attribute(
                    name=name, type=json.dumps(kind).encode(), required="r" in flags, optional="o" in flags, computed="c" in flags
                )
            )
    return block


def planned(entries, config, prior):
    """The proposed state with what only AWS can say left open."""
    state = dict(config)
    for name, entry in entries.items():
        if name == "" or is_block(entry) or state.get(name) is not None:
            continue
        if "c" in entry[1]:
            state[name] = prior[name] if prior else Unknown
    return state


def known(made, name, entries):
    """What an attribute is once its resource is made: of no interest to the tests, unless the account says more."""
    kind = entries[name][0]
    empty = {"string": "", "number": 0, "bool": False}
    return made.get(name, empty[kind] if isinstance(kind, str) else {} if kind[0] == "map" else [])


class Servicer(rpc.ProviderServicer):
    def __init__(self, kinds):
        self.kinds = kinds
        self.cloud = cloud.Cloud()

    def entries(self, name):
        return self.kinds[name]

    def GetMetadata(self, request, context):
        return pb.GetMetadata.Response(server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True))

    def GetProviderSchema(self, request, context):
        data = {name.removeprefix("data."): entries for name, entries in self.kinds.items() if name.startswith("data.")}
        resources = {name: entries for name, entries in self.kinds.items() if not name.startswith("data.")}
        return pb.GetProviderSchema.Response(
            provider=schema_of({"region": ["string", "o"]}),
            provider_meta=schema_of({}),
            resource_schemas={name: schema_of(entries) for name, entries in resources.items()},
            data_source_schemas={name: schema_of(entries) for name, entries in data.items()},
        )

    def ValidateProviderConfig(self, request, context):
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request, context):
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request, context):
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request, context):
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request, context):
        return pb.UpgradeResourceState.Response(upgraded_state=to_dynamic_value(json.loads(request.raw_state.json)))

    def ReadResource(self, request, context):
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request, context):
        proposed = read_dynamic_value(request.proposed_new_state)
        prior = read_dynamic_value(request.prior_state)
        state = proposed and planned(self.entries(request.type_name), proposed, prior)
        return pb.PlanResourceChange.Response(planned_state=to_dynamic_value(state), legacy_type_system=True)

    def ApplyResourceChange(self, request, context):
        state = read_dynamic_value(request.planned_state)
        problems = Diagnostics()
        if state is not None:
            try:
                made = self.cloud.make(request.type_name, state)
                entries = self.entries(request.type_name)
                state = {name: known(made, name, entries) if value is Unknown else value for name, value in state.items()}
            except Exception as error:
                traceback.print_exc()
                problems.add_error(f"{request.type_name}: {error}")
                state = None
        return pb.ApplyResourceChange.Response(new_state=to_dynamic_value(state), legacy_type_system=True, diagnostics=problems.to_pb())

    def ReadDataSource(self, request, context):
        config = read_dynamic_value(request.config)
        state = config | self.cloud.read(request.type_name, config)
        return pb.ReadDataSource.Response(state=to_dynamic_value(state))

    def StopProvider(self, request, context):
        return pb.StopProvider.Response()


class Random(cloud.Cloud):
    def make(self, kind, state):
        name = str(uuid.uuid4())
        return {"id": name, "result": name}


def serve(folder):
    """Serves both providers below a folder, and returns what Terraform has to know to use them."""
    aws = Servicer(json.loads(pathlib.Path(__file__).with_name("schema.json").read_text()))
    random = Servicer(RANDOM)
    random.cloud = Random()
    attached = {}
    for name, servicer in {"aws": aws, "random": random}.items():
        server = grpc.server(concurrent.futures.ThreadPoolExecutor())
        rpc.add_ProviderServicer_to_server(servicer, server)
        address = os.path.join(folder, name)
        server.add_insecure_port(f"unix:{address}")
        server.start()
        SERVERS.append(server)
        attached[f"registry.terraform.io/hashicorp/{name}"] = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "unix", "String": address},
        }
    return attached

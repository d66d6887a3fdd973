"""gRPC stubs for C++ of a proto_library that strips a prefix off its imports.

gRPC's own cc_grpc_library does not follow strip_import_prefix (grpc/grpc issue 38287), and the protocol's files are
imported from the root of proto/ ("muster/v1/future.proto") in every language. This rule reads descriptor sets, in which
files have the names that they are imported by, so that no search path is needed.
"""

load("@protobuf//bazel/common:proto_info.bzl", "ProtoInfo")
load("@rules_cc//cc:cc_library.bzl", "cc_library")

def _generate_impl(ctx):
    folder = ctx.label.name
    stems = [service[:-len(".proto")] for service in ctx.attr.services]
    sources = [ctx.actions.declare_file("%s/%s.grpc.pb.cc" % (folder, stem)) for stem in stems]
    headers = [ctx.actions.declare_file("%s/%s.grpc.pb.h" % (folder, stem)) for stem in stems]
    out = headers[0].path[:-len("/%s.grpc.pb.h" % stems[0])]
    sets = ctx.attr.proto[ProtoInfo].transitive_descriptor_sets

    arguments = ctx.actions.args()
    arguments.add_joined(sets, join_with = ctx.configuration.host_path_separator, format_joined = "--descriptor_set_in=%s")
    arguments.add(ctx.executable._plugin, format = "--plugin=protoc-gen-grpc=%s")
    arguments.add("--grpc_out=" + out)
    arguments.add_all(ctx.attr.services)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [arguments],
        inputs = sets,
        tools = [ctx.executable._plugin],
        outputs = sources + headers,
        mnemonic = "GrpcStubs",
        progress_message = "gRPC stubs of %{label}",
    )
    return [
        DefaultInfo(files = depset(sources + headers)),
        OutputGroupInfo(sources = depset(sources), headers = depset(headers)),
    ]

_generate = rule(
    implementation = _generate_impl,
    attrs = {
        "proto": attr.label(mandatory = True, providers = [ProtoInfo]),
        "services": attr.string_list(mandatory = True, allow_empty = False),
        "_plugin": attr.label(default = "@grpc//src/compiler:grpc_cpp_plugin", executable = True, cfg = "exec"),
        "_protoc": attr.label(default = "@protobuf//:protoc", executable = True, cfg = "exec"),
    },
)

def cc_grpc_stubs(name, proto, messages, services, **kwargs):
    """A cc_library of the stubs, included by the names of the .proto files ("muster/v1/future_service.grpc.pb.h").

    Args:
      name: of the library.
      proto: the proto_library.
      messages: its cc_proto_library.
      services: the files of it that declare a service, as they are imported.
      **kwargs: what every rule has: visibility and the like.
    """
    generated = name + "_gen"
    _generate(name = generated, proto = proto, services = services, **kwargs)
    for group in ("sources", "headers"):
        native.filegroup(name = "%s_%s" % (generated, group), srcs = [generated], output_group = group, **kwargs)
    cc_library(
        name = name,
        srcs = [generated + "_sources"],
        hdrs = [generated + "_headers"],
        includes = [generated],
        deps = [
            messages,
            # The stubs of a packaged gRPC use it without naming it.
            "@abseil-cpp//absl/synchronization",
            "@grpc//:grpc++",
        ],
        **kwargs
    )

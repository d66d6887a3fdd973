# Precompiled headers: a third to a half of what the compiler does for a typical file is to read the same headers of the
# standard library, Abseil, protobuf, gRPC and GoogleTest again. Five precompiled headers, each of one group of targets, are
# made once a build; muster_library, muster_binary and muster_test put every target into the group that its
# dependencies call for, in muster_precompile() at the end of the configuration.
#
# They hold nothing of our own but generated messages, so that a change of a header compiles what it must and no more.
# They hide a missing #include: tests/tidy/headers.py compiles each of our headers without them, clang-tidy each changed
# source, and Bazel knows none of them.
option(MUSTER_PRECOMPILED_HEADERS "Compile the foreign headers once for all files that include them" ON)

set(MUSTER_PCH_BASE
  <algorithm> <array> <atomic> <chrono> <cstdint> <deque> <functional> <map> <memory> <mutex> <optional> <span> <string>
  <string_view> <unordered_map> <utility> <variant> <vector>
  <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h> <absl/status/status.h> <absl/status/statusor.h>
  <fmt/format.h>)
set(MUSTER_PCH_MESSAGES <muster/v1/error.pb.h> <muster/v1/future.pb.h> <muster/v1/future_service.pb.h>)
set(MUSTER_PCH_RPC <grpcpp/grpcpp.h> <muster/v1/future_service.grpc.pb.h>)
set(MUSTER_PCH_TEST <gmock/gmock.h> <gtest/gtest.h>)

# What one of a target's dependencies may bring along, and the name of the trait.
set(MUSTER_TRAIT_messages "^muster_proto$")
set(MUSTER_TRAIT_rpc "^(muster_proto_grpc|gRPC::grpc\\+\\+)$")
set(MUSTER_TRAIT_test "^GTest::")

# The traits of a target: its dependencies', and its own. Each target is walked through once.
function(muster_traits target result)
  get_property(known GLOBAL PROPERTY MUSTER_TRAITS_OF_${target} SET)
  if(known)
    get_property(traits GLOBAL PROPERTY MUSTER_TRAITS_OF_${target})
    set(${result} ${traits} PARENT_SCOPE)
    return()
  endif()
  set(traits)
  foreach(trait messages rpc test)
    if(target MATCHES "${MUSTER_TRAIT_${trait}}")
      list(APPEND traits ${trait})
    endif()
  endforeach()
  if(TARGET ${target} AND target MATCHES "^[a-z_0-9]+$") # ours: what is foreign is judged by its name alone
    foreach(property LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
      get_target_property(needs ${target} ${property})
      foreach(need IN LISTS needs)
        if(need MATCHES "^[A-Za-z_0-9:+]+$" AND NOT need STREQUAL target)
          muster_traits(${need} more)
          list(APPEND traits ${more})
        endif()
      endforeach()
    endforeach()
  endif()
  list(REMOVE_DUPLICATES traits)
  set_property(GLOBAL PROPERTY MUSTER_TRAITS_OF_${target} "${traits}")
  set(${result} ${traits} PARENT_SCOPE)
endfunction()

# muster_compile_together(NAME...): several files of these targets become one for the compiler where there is a sanitizer.
# Such a build is made as a whole and looked at by nobody; what all files of a target instantiate is instantiated once,
# which takes a third of the time for those that are given here. Two names that clash say so as a redefinition: choose
# better ones, or leave the target out.
function(muster_compile_together)
  if(MUSTER_SANITIZE)
    foreach(target IN LISTS ARGN)
      if(TARGET ${target})
        set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
      endif()
    endforeach()
  endif()
endfunction()

# The target that compiles the headers of a group, made when the first of the group asks for it.
function(muster_precompiled_target group headers links)
  if(TARGET ${group})
    return()
  endif()
  set(empty ${PROJECT_BINARY_DIR}/precompiled/empty.cc)
  file(CONFIGURE OUTPUT ${empty} CONTENT "// For a target that has headers alone.\n")
  add_library(${group} OBJECT EXCLUDE_FROM_ALL ${empty})
  target_link_libraries(${group} PRIVATE muster_flags fmt::fmt ${links})
  target_precompile_headers(${group} PRIVATE ${headers})
endfunction()

# muster_declared(NAME): one of the project's targets, for muster_precompile.
function(muster_declared name)
  set_property(GLOBAL APPEND PROPERTY MUSTER_TARGETS ${name})
endfunction()

# To be called once, when all targets are there.
function(muster_precompile)
  get_property(all GLOBAL PROPERTY MUSTER_TARGETS)
  foreach(target IN LISTS all)
    muster_traits(${target} traits)
    set(group muster_pch)
    set(headers ${MUSTER_PCH_BASE})
    set(links)
    if("messages" IN_LIST traits)
      string(APPEND group _messages)
      list(APPEND headers ${MUSTER_PCH_MESSAGES})
      list(APPEND links muster_proto)
      if("rpc" IN_LIST traits)
        string(APPEND group _rpc)
        list(APPEND headers ${MUSTER_PCH_RPC})
        list(APPEND links muster_proto_grpc)
      endif()
    endif()
    if("test" IN_LIST traits)
      string(APPEND group _test)
      list(APPEND headers ${MUSTER_PCH_TEST})
      list(APPEND links GTest::gmock)
      # A test's own files run once and are compiled often: what they test stays optimised.
      if(CMAKE_BUILD_TYPE STREQUAL "Debug")
        target_compile_options(${target} PRIVATE -O0)
      endif()
    endif()
    if(MUSTER_PRECOMPILED_HEADERS)
      muster_precompiled_target(${group} "${headers}" "${links}")
      target_precompile_headers(${target} REUSE_FROM ${group})
    endif()
  endforeach()
  if(MUSTER_PRECOMPILED_HEADERS AND CMAKE_BUILD_TYPE STREQUAL "Debug")
    foreach(group muster_pch_test muster_pch_messages_test muster_pch_messages_rpc_test)
      if(TARGET ${group})
        target_compile_options(${group} PRIVATE -O0)
      endif()
    endforeach()
  endif()
endfunction()

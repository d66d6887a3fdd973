# muster_proto(NAME FILES a.proto ...): messages and gRPC stubs, generated into the build tree and included from the
# root of proto/ ("muster/v1/future.pb.h"). Two targets: NAME has the messages, NAME_grpc the stubs on top.
function(muster_proto name)
  cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
  set(out ${CMAKE_BINARY_DIR}/proto_gen)
  file(MAKE_DIRECTORY ${out})
  set(message_sources)
  set(stub_sources)
  get_target_property(plugin gRPC::grpc_cpp_plugin LOCATION)
  foreach(file ${ARG_FILES})
    string(REGEX REPLACE "\\.proto$" "" stem ${file})
    set(generated ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(arguments --cpp_out=${out})
    list(APPEND message_sources ${out}/${stem}.pb.cc)
    file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/${file} services REGEX "^service ")
    if(services)
      list(APPEND generated ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      list(APPEND arguments --grpc_out=${out} --plugin=protoc-gen-grpc=${plugin})
      list(APPEND stub_sources ${out}/${stem}.grpc.pb.cc)
    endif()
    add_custom_command(
      OUTPUT ${generated}
      COMMAND protobuf::protoc -I ${CMAKE_CURRENT_SOURCE_DIR} ${arguments} ${file}
      WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
      DEPENDS ${ARG_FILES}
      COMMENT "protoc ${file}"
      VERBATIM)
  endforeach()
  add_library(${name} STATIC ${message_sources})
  target_include_directories(${name} SYSTEM PUBLIC $<BUILD_INTERFACE:${out}> $<INSTALL_INTERFACE:include>)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf)
  add_library(${name}_grpc STATIC ${stub_sources})
  # The packaged gRPC does not name this one among its own needs.
  target_link_libraries(${name}_grpc PUBLIC ${name} gRPC::grpc++ absl::synchronization)

  muster_is_installed(installed)
  if(installed)
    string(REGEX REPLACE "^muster_" "" short ${name})
    set_target_properties(${name} PROPERTIES EXPORT_NAME ${short})
    set_target_properties(${name}_grpc PROPERTIES EXPORT_NAME ${short}_grpc)
    install(TARGETS ${name} ${name}_grpc EXPORT musterTargets ARCHIVE COMPONENT Development)
    # Those of other packages (gRPC's health service) are the libraries' own business.
    install(DIRECTORY ${out}/muster DESTINATION include COMPONENT Development FILES_MATCHING PATTERN "*.pb.h")
    foreach(file ${ARG_FILES})
      cmake_path(GET file PARENT_PATH folder)
      install(FILES ${file} DESTINATION share/muster/proto/${folder} COMPONENT Development)
    endforeach()
  endif()
endfunction()

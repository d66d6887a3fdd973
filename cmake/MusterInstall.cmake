# `cmake --install`: libraries, headers and generated headers, programs, and what find_package(muster) reads. The targets
# put themselves into the export set, in muster_library and muster_proto. Included last.
if(MUSTER_SANITIZE)
  return()
endif()
include(CMakePackageConfigHelpers)
set(package_folder lib/cmake/muster)

# One list of dependencies: the installed package finds what the build found.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/MusterDependencies.cmake lines REGEX "^find_package\\(")
set(MUSTER_FIND_DEPENDENCIES "")
foreach(line IN LISTS lines)
  string(REPLACE "find_package(" "find_dependency(" line "${line}")
  string(REPLACE " REQUIRED" "" line "${line}")
  string(APPEND MUSTER_FIND_DEPENDENCIES "${line}\n")
endforeach()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/muster-config.cmake.in
  ${PROJECT_BINARY_DIR}/muster-config.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/muster-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/muster-config.cmake ${PROJECT_BINARY_DIR}/muster-config-version.cmake
  DESTINATION ${package_folder} COMPONENT Development)
install(EXPORT musterTargets NAMESPACE muster:: DESTINATION ${package_folder} COMPONENT Development)

# Whoever uses the libraries has one name in the way of includes: muster/. So what is in muster/internal, and is included
# from the project's root within the project, is included from there.
install(CODE [[
  set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/include/muster")
  file(GLOB public "${root}/*.h")
  file(GLOB_RECURSE internal "${root}/internal/*.h")
  foreach(header IN LISTS public internal)
    file(READ "${header}" text)
    string(REGEX REPLACE "(#include \")((service|client)/)" "\\1muster/internal/\\2" text "${text}")
    file(WRITE "${header}" "${text}")
  endforeach()
]] COMPONENT Development)

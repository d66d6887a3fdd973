# How every target of the project is compiled, and the three functions that declare one.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(MUSTER_WERROR "Treat warnings as errors (CI does)" OFF)
option(MUSTER_BELOW_FRONTS "Leave out the fronts, all that is above them, the clients, and their tests" OFF)
option(MUSTER_TESTS "Build the tests; off where only the programs are wanted, as in the image" ON)
option(MUSTER_FUZZ "Build tests/fuzz, and all that it links with the instruments of libFuzzer; needs clang" OFF)
set(MUSTER_SANITIZE "" CACHE STRING "Value for -fsanitize=, for example address,undefined or thread")

find_program(MUSTER_CCACHE ccache)
if(MUSTER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # As ccache's manual asks where headers are precompiled. Their times are no matter, for CMake writes the file that lists
  # them a moment before it is compiled. And ccache hashes such a header of 100 MB once, not for each file.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_INODECACHE=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${MUSTER_CCACHE})
endif()
find_program(MUSTER_MOLD mold)
if(MUSTER_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(muster_flags INTERFACE)
target_compile_options(muster_flags INTERFACE -Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives of these in coroutine frames (GCC bug 105595 and its kin).
  target_compile_options(muster_flags INTERFACE -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
else()
  target_compile_options(muster_flags INTERFACE -Wthread-safety)
endif()
if(MUSTER_WERROR)
  target_compile_options(muster_flags INTERFACE -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # It also reports these of its own library's strings once they are inlined (GCC bug 105651 and its kin), and takes a
    # precompiled header's place in the file for the project's. They stay warnings.
    target_compile_options(muster_flags INTERFACE
      -Wno-error=array-bounds -Wno-error=restrict -Wno-error=stringop-overflow -Wno-error=stringop-overread)
  endif()
endif()
if(MUSTER_SANITIZE)
  add_compile_options(-fsanitize=${MUSTER_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MUSTER_SANITIZE})
endif()
if(MUSTER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# A precompiled header serves files that are compiled with the same options only. gRPC and GoogleTest ask for threads, so
# everybody has them.
add_compile_options(-pthread)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -fpch-preprocess is for ccache. The other one spares the compiler the collection of garbage that a file of ours does
  # not live long enough to need: 7 % of its time, for at most 0.3 GB more of memory.
  add_compile_options(-fpch-preprocess --param=ggc-min-heapsize=524288)
else()
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()
include(MusterPrecompiled)

# Whether a target of this folder is installed: what serves only tests and benchmarks is not.
function(muster_is_installed result)
  cmake_path(IS_PREFIX PROJECT_SOURCE_DIR "${CMAKE_CURRENT_SOURCE_DIR}" inside)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  if(inside AND NOT folder MATCHES "^(tests|docs)(/|$)" AND NOT MUSTER_SANITIZE)
    set(${result} ON PARENT_SCOPE)
  else()
    set(${result} OFF PARENT_SCOPE)
  endif()
endfunction()

# muster_library(NAME SOURCES ... [HEADERS ...] [DEPS ...]): the library of one folder, muster_base as muster::base.
# Within the project includes are written from its root ("service/base/clock.h"); HEADERS names every header that another
# folder may include. What is for users lies in include/ of the folder and is included from there ("muster/client.h"), in
# the project too. Installed, the other headers lie in muster/internal (MusterInstall.cmake).
function(muster_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES} ${ARG_HEADERS})
    set(scope PUBLIC)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:muster_flags>)
    muster_declared(${name})
  else()
    add_library(${name} INTERFACE ${ARG_HEADERS})
    set(scope INTERFACE)
  endif()
  string(REGEX REPLACE "^muster_" "" short ${name})
  add_library(muster::${short} ALIAS ${name})
  target_include_directories(${name} ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include>)
  if(ARG_HEADERS MATCHES "(^|;)include/muster/")
    target_include_directories(${name} ${scope} $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
  endif()
  target_compile_features(${name} ${scope} cxx_std_20)
  target_link_libraries(${name} ${scope} ${ARG_DEPS})

  muster_is_installed(installed)
  if(installed)
    set_target_properties(${name} PROPERTIES EXPORT_NAME ${short})
    install(TARGETS ${name} EXPORT musterTargets ARCHIVE COMPONENT Development)
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    foreach(header IN LISTS ARG_HEADERS)
      cmake_path(GET header PARENT_PATH sub)
      if(NOT sub STREQUAL include/muster)
        set(sub include/muster/internal/${folder}/${sub})
      endif()
      install(FILES ${header} DESTINATION ${sub} COMPONENT Development)
    endforeach()
  endif()
endfunction()

# muster_binary(NAME SOURCES ... DEPS ...): a program; it lands in bin/ of the build.
function(muster_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE muster_flags ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  # As the libraries, whose precompiled headers it shares.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  muster_declared(${name})
  muster_is_installed(installed)
  if(installed)
    install(TARGETS ${name} RUNTIME COMPONENT Runtime)
  endif()
endfunction()

# muster_test(NAME SUITE s SOURCES ... DEPS ... [TIMEOUT seconds]): a GoogleTest program; `ctest -L s` runs the suite.
function(muster_test name)
  cmake_parse_arguments(ARG "" "SUITE;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(MUSTER_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 4")
  endif()
  muster_binary(${name} SOURCES ${ARG_SOURCES} DEPS ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_SUITE} TIMEOUT ${ARG_TIMEOUT})
endfunction()

// INPUT on the command line: JSON, a file, stdin, or pairs.
//
//   muster submit echo '{"a": 1}'      JSON
//   muster submit echo @input.json     a file; - is stdin
//   muster submit echo a=1 b:=2        {"a": "1", "b": 2}
//   muster submit echo key=@file key:=@file.json
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "muster/values.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace muster::cli {

struct InputOptions {
  std::vector<std::string> words;
  bool text = false;
  std::string data;  // --data: @FILE, - or the bytes themselves
  std::string content_type;
};

// Adds the positional INPUT and its flags.
void AddInput(CLI::App& verb, InputOptions& options);

// InvalidArgument says what is wrong and how to write it.
absl::StatusOr<client::Payload> ReadInput(const InputOptions& options);

// The whole of a file, or of stdin for "-".
absl::StatusOr<std::string> ReadAll(const std::string& path);

// "k=v" pairs of an option that may be given many times.
absl::StatusOr<std::map<std::string, std::string>> ParsePairs(const std::vector<std::string>& pairs,
                                                              const char* option);

}  // namespace muster::cli

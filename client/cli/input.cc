#include "client/cli/input.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "client/cli/render.h"
#include "service/base/status.h"

namespace muster::cli {
namespace {

struct Pair {
  std::string key;
  std::string value;
  bool json = false;
};

bool IsKeyByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

// "key=value" or "key:=json"; nothing for any other word.
std::optional<Pair> SplitPair(const std::string& word) {
  std::size_t end = 0;
  while (end < word.size() && IsKeyByte(word[end])) ++end;
  if (end == 0 || end == word.size()) return std::nullopt;
  Pair pair;
  pair.key = word.substr(0, end);
  if (word[end] == '=') {
    pair.value = word.substr(end + 1);
    return pair;
  }
  if (word.compare(end, 2, ":=") != 0) return std::nullopt;
  pair.value = word.substr(end + 2);
  pair.json = true;
  return pair;
}

absl::StatusOr<Json> PairValue(const Pair& pair) {
  std::string value = pair.value;
  if (!value.empty() && value.front() == '@') {
    MUSTER_ASSIGN_OR_RETURN(value, ReadAll(value.substr(1)));
  }
  if (!pair.json) return Json(value);
  auto json = ParseJson(value);
  if (json.ok()) return json;
  return absl::InvalidArgumentError(fmt::format("the value of {}:= is no JSON: {}; for text write {}={}", pair.key,
                                                std::string(json.status().message()), pair.key, pair.value));
}

absl::StatusOr<client::Payload> FromPairs(const std::vector<Pair>& pairs) {
  Json object = Json::object();
  for (const Pair& pair : pairs) {
    if (object.contains(pair.key)) {
      return absl::InvalidArgumentError(fmt::format("the input names '{}' twice", pair.key));
    }
    MUSTER_ASSIGN_OR_RETURN(object[pair.key], PairValue(pair));
  }
  return ToPayload(object);
}

absl::StatusOr<client::Payload> FromJsonText(const std::string& text, const std::string& from) {
  auto json = ParseJson(text);
  if (json.ok()) return ToPayload(*json);
  return absl::InvalidArgumentError(fmt::format("{} is no JSON: {}", from, std::string(json.status().message())));
}

}  // namespace

void AddInput(CLI::App& verb, InputOptions& options) {
  verb.add_option("INPUT", options.words,
                  "JSON text; @FILE or - (stdin) that holds JSON; or pairs: key=text key:=json key=@file key:=@file");
  verb.add_flag("--text", options.text, "INPUT is text, not JSON (with @FILE or -: the file's text)");
  verb.add_option("--data", options.data, "Bytes as input: @FILE, - (stdin), or as they stand")->type_name("BYTES");
  verb.add_option("--content-type", options.content_type, "Media type of --data or --text")->type_name("TYPE");
}

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return absl::InvalidArgumentError(fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  }
  std::string text;
  char buffer[1 << 16];
  while (const std::size_t got = std::fread(buffer, 1, sizeof(buffer), file)) text.append(buffer, got);
  const bool failed = std::ferror(file) != 0;
  const int error = errno;
  if (file != stdin) std::fclose(file);
  if (failed) return absl::InvalidArgumentError(fmt::format("cannot read '{}': {}", path, std::strerror(error)));
  return text;
}

absl::StatusOr<client::Payload> ReadInput(const InputOptions& options) {
  if (!options.data.empty()) {
    if (!options.words.empty() || options.text) {
      return absl::InvalidArgumentError("--data is the whole input: give neither INPUT nor --text with it");
    }
    std::string data = options.data;
    if (data == "-" || data.front() == '@') {
      MUSTER_ASSIGN_OR_RETURN(data, ReadAll(data == "-" ? data : data.substr(1)));
    }
    return client::FromBytes(std::move(data),
                             options.content_type.empty() ? "application/octet-stream" : options.content_type);
  }
  const bool file = options.words.size() == 1 && !options.words[0].empty() &&
                    (options.words[0] == "-" || options.words[0].front() == '@');
  if (options.text) {
    std::string text = fmt::format("{}", fmt::join(options.words, " "));
    if (file) {
      MUSTER_ASSIGN_OR_RETURN(text, ReadAll(text == "-" ? text : text.substr(1)));
    }
    return client::FromText(std::move(text), options.content_type);
  }
  if (!options.content_type.empty()) {
    return absl::InvalidArgumentError("--content-type goes with --data or --text; JSON needs none");
  }
  if (options.words.empty()) return client::Payload();
  if (file) {
    const std::string path = options.words[0] == "-" ? "-" : options.words[0].substr(1);
    MUSTER_ASSIGN_OR_RETURN(const std::string text, ReadAll(path));
    return FromJsonText(text, path == "-" ? "stdin" : "'" + path + "'");
  }
  std::vector<Pair> pairs;
  for (const std::string& word : options.words) {
    std::optional<Pair> pair = SplitPair(word);
    if (pair) {
      pairs.push_back(*std::move(pair));
    } else if (options.words.size() > 1) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is no pair; write key=text or key:=json, or give one JSON text in quotes", word));
    }
  }
  if (!pairs.empty()) return FromPairs(pairs);
  return FromJsonText(options.words[0], fmt::format("the input '{}'", Cut(options.words[0], 40)));
}

absl::StatusOr<std::map<std::string, std::string>> ParsePairs(const std::vector<std::string>& pairs,
                                                              const char* option) {
  std::map<std::string, std::string> map;
  for (const std::string& pair : pairs) {
    const std::size_t at = pair.find('=');
    if (at == std::string::npos || at == 0) {
      return absl::InvalidArgumentError(fmt::format("{} takes KEY=VALUE, not '{}'", option, pair));
    }
    map[pair.substr(0, at)] = pair.substr(at + 1);
  }
  return map;
}

}  // namespace muster::cli

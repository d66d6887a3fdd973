// Reads the JSON object that a function was called with, and keeps the first thing that is wrong with it.
//
//   Input input = Input::Object(payload, {"path", "limit"});
//   const std::string path = input.RequiredText("path", 4096);
//   const int64_t limit = input.Integer("limit", 100, 1, 1000);
//   MUSTER_RETURN_IF_ERROR(input.status());
//
// Errors are INVALID_INPUT and name key, value and what is expected. Unknown keys are errors: a misspelt option must
// not be ignored. A key whose value is null is as good as absent.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

#include "service/jobs/context.h"

namespace muster::functions {

class Input {
 public:
  // `text_key`, when given, is what an input that is plain text or a JSON string stands for: "a/b" for {"path": "a/b"}.
  static Input Object(const jobs::Payload& payload, std::initializer_list<std::string_view> keys,
                      std::string_view text_key = {});

  // The same for a document that is parsed already, such as a part of an input.
  static Input FromJson(nlohmann::json document, std::initializer_list<std::string_view> keys,
                        std::string_view text_key = {});

  const absl::Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }

  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  // Null when absent.
  const nlohmann::json* Find(std::string_view key) const;

  // Valid UTF-8, at most `bytes_max` bytes. Empty when absent, or for a required one when something is wrong.
  std::string Text(std::string_view key, size_t bytes_max);
  std::string RequiredText(std::string_view key, size_t bytes_max);
  // Base64, decoded.
  std::string Base64(std::string_view key);
  bool Bool(std::string_view key, bool otherwise);
  int64_t Integer(std::string_view key, int64_t otherwise, int64_t min, int64_t max);
  double Number(std::string_view key, double otherwise, double min, double max);

  // The first error wins.
  void Fail(std::string_view message);

 private:
  void FailKind(std::string_view key, const nlohmann::json& value, std::string_view expected);

  nlohmann::json object_ = nlohmann::json::object();
  absl::Status status_;
};

// A value for an error message: its JSON, cut to a readable length.
std::string Shown(const nlohmann::json& value);

}  // namespace muster::functions

#include "tests/crash/record.h"

#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include "service/base/check.h"

namespace muster::crash {
namespace {

constexpr std::string_view kBodies[] = {"echo", "sleep", "fail", "file", "checksum", "promise", "gather"};
constexpr std::string_view kStates[] = {"UNSPECIFIED", "PENDING",   "DELAYED", "QUEUED",
                                        "RUNNING",     "SUCCEEDED", "FAILED",  "CANCELLED"};

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Outcomes hold any bytes; a line holds neither tabs nor ends of lines.
void AppendEscaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '\\' || static_cast<unsigned char>(c) < ' ') {
      out += fmt::format("\\{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
}

bool Unescape(std::string_view text, std::string& out) {
  out.clear();
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    unsigned value = 0;
    if (at + 2 >= text.size()) return false;
    if (std::from_chars(&text[at + 1], &text[at + 3], value, 16).ptr != &text[at + 3]) return false;
    out += static_cast<char>(value);
    at += 2;
  }
  return true;
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

std::string NameOf(std::string_view key) { return fmt::format("name of {}", key); }
// A server that is newer than this test, or wrong, may name a state that has no place here: it is judged, not trusted.
std::string_view StateName(State state) {
  const auto at = static_cast<size_t>(state);
  return at < std::size(kStates) ? kStates[at] : std::string_view("unknown");
}

std::string ToText(const Spec& spec) {
  MUSTER_CHECK(spec.value.find('|') == std::string::npos) << "a value with a bar";
  std::string text =
      fmt::format("{}|{}{}|{}|{}|", kBodies[static_cast<size_t>(spec.body)], spec.at_most_once ? "once" : "",
                  spec.return_exceptions ? "exceptions" : "", spec.delay_ms, spec.value);
  for (const std::string& member : spec.members) {
    if (text.back() != '|') text += ',';
    text += member;
  }
  return text;
}

std::optional<Spec> ParseSpec(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, '|');
  if (parts.size() != 5) return std::nullopt;
  Spec spec;
  size_t body = 0;
  while (body < std::size(kBodies) && kBodies[body] != parts[0]) ++body;
  if (body == std::size(kBodies)) return std::nullopt;
  spec.body = static_cast<Spec::Body>(body);
  spec.at_most_once = parts[1] == "once";
  spec.return_exceptions = parts[1] == "exceptions";
  if (!ParseNumber(parts[2], spec.delay_ms)) return std::nullopt;
  spec.value = parts[3];
  if (!parts[4].empty()) {
    for (const std::string_view member : Split(parts[4], ',')) spec.members.emplace_back(member);
  }
  return spec;
}

std::string ToLine(const Record& record) {
  std::string line(1, static_cast<char>(record.kind));
  for (const std::string* text : {&record.key, &record.a, &record.b}) {
    line += '\t';
    AppendEscaped(*text, line);
  }
  line += fmt::format("\t{}\t{}\t{}\t{}\t{}", record.number, static_cast<int>(record.state), record.attempt,
                      record.incarnation, record.since);
  return line;
}

std::optional<Record> ParseLine(std::string_view line) {
  const std::vector<std::string_view> parts = Split(line, '\t');
  if (parts.size() != 9 || parts[0].size() != 1) return std::nullopt;
  Record record;
  record.kind = static_cast<Record::Kind>(parts[0][0]);
  int state = 0;
  const bool good = Unescape(parts[1], record.key) && Unescape(parts[2], record.a) && Unescape(parts[3], record.b) &&
                    ParseNumber(parts[4], record.number) && ParseNumber(parts[5], state) &&
                    ParseNumber(parts[6], record.attempt) && ParseNumber(parts[7], record.incarnation) &&
                    ParseNumber(parts[8], record.since);
  if (!good || state < 0 || state >= static_cast<int>(std::size(kStates))) return std::nullopt;
  record.state = static_cast<State>(state);
  return record;
}

}  // namespace muster::crash

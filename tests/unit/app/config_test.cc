#include "service/app/settings/config.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "service/app/settings/command_line.h"
#include "service/base/options/host_port.h"
#include "service/base/options/value_text.h"

namespace muster::app {
namespace {

using base::HostPort, base::ParseHostPort, base::IsLoopback;
using base::Option, base::ValueType;
using base::ParseDuration, base::ParseBytes, base::DurationText, base::BytesText, base::DidYouMean;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    folder_ =
        std::filesystem::temp_directory_path() / ("muster-config-" + std::to_string(getpid()) + "-" +
                                                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& text, const std::string& name = "muster.yaml") {
    const std::string path = (folder_ / name).string();
    std::ofstream(path) << text;
    return path;
  }
  LoadedConfig LoadFile(const std::string& text) {
    ConfigSources sources;
    sources.file = File(text);
    return Load(std::move(sources));
  }
  // As a process that has a home, which is where its futures are kept.
  static LoadedConfig Load(ConfigSources sources) {
    sources.environment.emplace("HOME", "/somewhere");
    return LoadConfig(sources);
  }
  // The value of one option, as text.
  static std::string Value(LoadedConfig loaded, std::string_view key) {
    for (const Option& option : Options(loaded.config)) {
      if (option.key == key) return base::ValueText(option);
    }
    return "no such option";
  }
  static std::vector<std::string> Texts(const LoadedConfig& loaded) {
    std::vector<std::string> texts;
    for (const Problem& problem : loaded.problems) texts.push_back(ToString(problem));
    return texts;
  }

  std::filesystem::path folder_;
};

TEST_F(ConfigTest, WithoutAnythingTheDefaultsAreValid) {
  const LoadedConfig loaded = Load({});
  EXPECT_THAT(Texts(loaded), IsEmpty());
  EXPECT_EQ(loaded.config.grpc.listen, "127.0.0.1:7411");
  EXPECT_EQ(loaded.origins.at("loops"), "default");
}

TEST_F(ConfigTest, FuturesAreKeptBelowTheStateFolderOfTheUser) {
  ConfigSources sources;
  sources.environment = {{"HOME", "/somewhere"}};
  EXPECT_EQ(LoadConfig(sources).config.store.dir, "/somewhere/.local/state/muster");
  sources.environment["XDG_STATE_HOME"] = "relative";  // is to be ignored
  EXPECT_EQ(LoadConfig(sources).config.store.dir, "/somewhere/.local/state/muster");
  sources.environment["XDG_STATE_HOME"] = "/elsewhere";
  const LoadedConfig loaded = LoadConfig(sources);
  EXPECT_EQ(loaded.config.store.dir, "/elsewhere/muster");
  EXPECT_EQ(loaded.origins.at("store.dir"), "XDG_STATE_HOME");
  sources.flags["store.dir"] = {"/given"};
  EXPECT_EQ(LoadConfig(sources).config.store.dir, "/given");
  EXPECT_THAT(Texts(LoadConfig({})), ElementsAre(HasSubstr("neither XDG_STATE_HOME nor HOME")));
  sources = {};
  sources.flags["durability"] = {"none"};
  EXPECT_THAT(Texts(LoadConfig(sources)), IsEmpty());
}

TEST_F(ConfigTest, FlagsWinOverTheEnvironmentOverTheFileOverDefaults) {
  ConfigSources sources;
  sources.file = File("loops: 2\nblocking:\n  threads: 5\n  queue: 6\nlog: {level: debug}\n");
  sources.environment = {{"MUSTER_LOOPS", "3"}, {"MUSTER_BLOCKING_THREADS", "7"}, {"MUSTER_PORT_7411_TCP", "x"}};
  sources.flags = {{"loops", {"4"}}};
  const LoadedConfig loaded = Load(sources);
  EXPECT_THAT(Texts(loaded), IsEmpty());
  EXPECT_EQ(loaded.config.loops, 4u);
  EXPECT_EQ(loaded.origins.at("loops"), "--loops");
  EXPECT_EQ(loaded.config.blocking.threads, 7u);
  EXPECT_EQ(loaded.origins.at("blocking.threads"), "MUSTER_BLOCKING_THREADS");
  EXPECT_EQ(loaded.config.blocking.queue, 6u);
  EXPECT_THAT(loaded.origins.at("blocking.queue"), ::testing::EndsWith("muster.yaml:4"));
  EXPECT_EQ(loaded.config.log.level, "debug");
}

TEST_F(ConfigTest, EveryProblemIsNamedWithItsLineValueAndLimit) {
  const LoadedConfig loaded = LoadFile(
      "loops: 1000\n"
      "bloking:\n"
      "  threads: 4\n"
      "limits:\n"
      "  payload_bytes_mx: 1MiB\n"
      "  set_max: many\n"
      "  poll_max: 5 parsecs\n"
      "  message_bytes_max: [1]\n"
      "log:\n"
      "  level: inof\n"
      "drain: 5s\n"
      "grpc:\n"
      "  listen: nowhere\n"
      "insecure: perhaps\n"
      "loops: 2\n"
      "clock:\n");
  const std::string file = (folder_ / "muster.yaml").string();
  EXPECT_THAT(
      Texts(loaded),
      ElementsAre(file + ":1: loops: 1000 is out of range; allowed is 1 to 64",
                  file + ":2: bloking: no such key; did you mean blocking?",
                  file + ":5: limits.payload_bytes_mx: no such key; did you mean limits.payload_bytes_max?",
                  file + ":6: limits.set_max: \"many\" is no whole number",
                  StartsWith(file + ":7: limits.poll_max: \"5 parsecs\" is no duration"),
                  file + ":8: limits.message_bytes_max: must be one plain value",
                  file + ":10: log.level: \"inof\" is none of debug, info, warning, error, off; did you mean info?",
                  file + ":11: drain: must hold keys of its own",
                  StartsWith(file + ":13: grpc.listen: \"nowhere\" is no address"),
                  file + ":14: insecure: \"perhaps\" is neither true nor false", file + ":15: loops: given twice",
                  file + ":16: clock: has no value"));
}

TEST_F(ConfigTest, AFileThatIsNoYamlOrNoMappingOrNotThereIsOneProblem) {
  EXPECT_THAT(Texts(LoadFile("loops: [1\nx: }")), ElementsAre(HasSubstr("no valid YAML")));
  EXPECT_THAT(Texts(LoadFile("- 1\n- 2\n")), ElementsAre(HasSubstr("must be a mapping")));
  EXPECT_THAT(Texts(LoadFile("just words")), ElementsAre(HasSubstr("must be a mapping")));
  EXPECT_THAT(Texts(LoadFile("")), IsEmpty());
  EXPECT_THAT(Texts(LoadFile("# nothing\nlimits:\n")), IsEmpty());
  EXPECT_THAT(Texts(LoadFile(std::string(2 << 20, '#'))), ElementsAre(HasSubstr("larger than 1MiB")));
  ConfigSources sources;
  sources.file = (folder_ / "none.yaml").string();
  EXPECT_THAT(Texts(Load(sources)), ElementsAre(HasSubstr("No such file")));
  sources.file = folder_.string();
  EXPECT_THAT(Texts(Load(sources)), ElementsAre(HasSubstr("can't be read")));
}

TEST_F(ConfigTest, AddressesBeyondLoopbackNeedTlsOrInsecure) {
  EXPECT_THAT(Texts(LoadFile("grpc: {listen: '0.0.0.0:7411'}")),
              ElementsAre(HasSubstr("0.0.0.0:7411 is not loopback")));
  EXPECT_THAT(Texts(LoadFile("admin: {listen: '[::]:7412'}")), ElementsAre(HasSubstr("is not loopback")));
  EXPECT_THAT(Texts(LoadFile("insecure: true\ngrpc: {listen: '0.0.0.0:7411'}\nadmin: {listen: '[::]:0'}")), IsEmpty());
  EXPECT_THAT(Texts(LoadFile("grpc: {listen: '[::1]:0'}\nadmin: {listen: 'localhost:0'}")), IsEmpty());
  const std::string cert = File("x", "cert.pem"), key = File("x", "key.pem");
  EXPECT_THAT(Texts(LoadFile("grpc: {listen: '0.0.0.0:1'}\ntls: {cert: " + cert + ", key: " + key + "}")), IsEmpty());
}

TEST_F(ConfigTest, WhatContradictsItselfIsRefused) {
  const std::string cert = File("x", "cert.pem");
  EXPECT_THAT(Texts(LoadFile("tls: {cert: " + cert + "}")), ElementsAre(HasSubstr("needs tls.key")));
  EXPECT_THAT(Texts(LoadFile("tls: {key: " + cert + "}")), ElementsAre(HasSubstr("needs tls.cert")));
  EXPECT_THAT(Texts(LoadFile("tls: {client_ca: " + cert + "}")), ElementsAre(HasSubstr("needs tls.cert")));
  EXPECT_THAT(Texts(LoadFile("tls: {cert: /none/a, key: /none/b}")),
              ElementsAre(HasSubstr("tls.cert: \"/none/a\": No such file"), HasSubstr("tls.key: \"/none/b\"")));
  EXPECT_THAT(Texts(LoadFile("limits: {payload_bytes_max: 8MiB}")),
              ElementsAre(HasSubstr("limits.payload_bytes_max: 8MiB is over limits.message_bytes_max, 4MiB")));
  EXPECT_THAT(Texts(LoadFile("grpc: {listen: '127.0.0.1:80'}\nadmin: {listen: '127.0.0.1:80'}")),
              ElementsAre(HasSubstr("is grpc.listen too")));
  EXPECT_THAT(Texts(LoadFile("files: {root: " + cert + "}")), ElementsAre(HasSubstr("is no folder")));
  EXPECT_THAT(Texts(LoadFile("http: {allow_private: [10.0.0.0/8, '::1', fd00::/8, 10.0.0.0/33, localhost]}")),
              ElementsAre(HasSubstr("\"10.0.0.0/33\" is neither"), HasSubstr("\"localhost\" is neither")));
}

TEST_F(ConfigTest, ListsComeFromYamlVariablesAndRepeatedFlags) {
  constexpr std::string_view kKey = "http.allow_private";
  EXPECT_EQ(Value(LoadFile("http: {allow_private: [127.0.0.1, 10.0.0.0/8]}"), kKey), "127.0.0.1,10.0.0.0/8");
  ConfigSources sources;
  sources.environment = {{"MUSTER_HTTP_ALLOW_PRIVATE", " 127.0.0.1 , ::1"}};
  EXPECT_EQ(Value(Load(sources), kKey), "127.0.0.1,::1");
  sources.flags = {{"http.allow_private", {"127.0.0.2", "127.0.0.3,127.0.0.4"}}};
  EXPECT_EQ(Value(Load(sources), kKey), "127.0.0.2,127.0.0.3,127.0.0.4");
}

TEST_F(ConfigTest, PrintedConfigurationGivesTheSameValuesAgain) {
  ConfigSources sources;
  sources.environment = {{"MUSTER_LOOPS", "3"},
                         {"MUSTER_FILES_ROOT", folder_.string()},
                         {"MUSTER_READY_FILE", "/tmp/a \"quoted\" \\ name: # x"},
                         {"MUSTER_HTTP_ALLOW_PRIVATE", "127.0.0.1,::1"},
                         {"MUSTER_LIMITS_POLL_MAX", "1m30s"},
                         {"MUSTER_INSECURE", "yes"},
                         {"MUSTER_LIMITS_NAMESPACE_BYTES_MAX", "3000000"}};
  LoadedConfig first = Load(sources);
  ASSERT_THAT(Texts(first), IsEmpty());
  const std::string printed = PrintConfig(first);
  EXPECT_THAT(printed, HasSubstr("loops: 3"));
  EXPECT_THAT(printed, HasSubstr("# MUSTER_LOOPS\n"));
  EXPECT_THAT(printed, HasSubstr("  poll_max: 1m30s"));
  LoadedConfig second = LoadFile(printed);
  ASSERT_THAT(Texts(second), IsEmpty());
  const std::vector<Option> before = Options(first.config), after = Options(second.config);
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(base::ValueText(before[i]), base::ValueText(after[i])) << before[i].key;
  }
}

// Each option, with the text of its default and of its limits: the table itself is sound.
TEST_F(ConfigTest, DefaultsAndLimitsOfEveryOptionAreValid) {
  Config config;
  for (const Option& option : Options(config)) {
    SCOPED_TRACE(option.key);
    const std::string text = base::ValueText(option);
    if (option.type == ValueType::kText || option.type == ValueType::kList) continue;
    EXPECT_EQ(base::StoreValue(option, text), "");
    EXPECT_EQ(base::ValueText(option), text);
    if (option.type != ValueType::kCount && option.type != ValueType::kBytes && option.type != ValueType::kDuration) {
      continue;
    }
    const auto with_unit = [&](uint64_t value) {
      return std::to_string(value) + (option.type == ValueType::kDuration ? "us" : "");
    };
    EXPECT_EQ(base::StoreValue(option, with_unit(option.min)), "");
    EXPECT_EQ(base::StoreValue(option, with_unit(option.max)), "");
    EXPECT_THAT(base::StoreValue(option, with_unit(option.max + 1)), HasSubstr("allowed is"));
    if (option.min == 0) continue;
    EXPECT_THAT(base::StoreValue(option, with_unit(option.min - 1)), HasSubstr("allowed is"));
  }
}

// A section of the file is one place on the page, and belongs to one part of the server.
TEST_F(ConfigTest, KeysAreUniqueAndSectionsStandTogether) {
  Config config;
  std::set<std::string_view> keys, sections;
  std::string_view section;
  for (const Option& option : Options(config)) {
    EXPECT_TRUE(keys.insert(option.key).second) << option.key << " is there twice";
    const size_t dot = option.key.find('.');
    const std::string_view own = dot == std::string_view::npos ? std::string_view() : option.key.substr(0, dot);
    if (own != section && !own.empty()) {
      EXPECT_TRUE(sections.insert(own).second) << "the section " << own << " is in two places, at " << option.key;
    }
    section = own;
  }
}

// What a family says is wrong has the place that the value came from.
TEST_F(ConfigTest, AFamilysProblemsHaveTheirOrigin) {
  ConfigSources sources;
  sources.environment = {{"MUSTER_FILES_ROOT", "/none/such"}, {"MUSTER_HTTP_CA_FILE", "/none/ca"}};
  EXPECT_THAT(Texts(Load(sources)),
              ElementsAre("MUSTER_FILES_ROOT: files.root: \"/none/such\": No such file or directory",
                          "MUSTER_HTTP_CA_FILE: http.ca_file: \"/none/ca\": No such file or directory"));
}

CommandLine Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "musterd");
  auto line = ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
  EXPECT_TRUE(line.ok()) << line.status();
  return line.ok() ? *line : CommandLine();
}
std::string ParseError(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "musterd");
  return std::string(ParseCommandLine(static_cast<int>(arguments.size()), arguments.data()).status().message());
}

TEST(CommandLineTest, FlagsKeepTheirOptionsKeys) {
  const CommandLine line = Parse({"--grpc-listen", "127.0.0.1:0", "--insecure", "--limits-set-max=5", "-c", "a.yaml",
                                  "--http-allow-private", "127.0.0.1", "--http-allow-private=::1", "--validate"});
  EXPECT_EQ(line.action, CommandLine::Action::kValidate);
  EXPECT_EQ(line.config_file, "a.yaml");
  EXPECT_THAT(line.flags.at("grpc.listen"), ElementsAre("127.0.0.1:0"));
  EXPECT_THAT(line.flags.at("insecure"), ElementsAre("true"));
  EXPECT_THAT(line.flags.at("limits.set_max"), ElementsAre("5"));
  EXPECT_THAT(line.flags.at("http.allow_private"), ElementsAre("127.0.0.1", "::1"));
  EXPECT_THAT(Parse({"--insecure=false"}).flags.at("insecure"), ElementsAre("false"));
  EXPECT_THAT(Parse({}).flags, IsEmpty());
}

TEST(CommandLineTest, WhatIsUnknownIsNamedWithWhatMayHaveBeenMeant) {
  EXPECT_THAT(ParseError({"--grpc-lisen", "x"}), HasSubstr("did you mean --grpc-listen?"));
  EXPECT_THAT(ParseError({"--loops", "1", "extra"}), HasSubstr("unexpected argument extra"));
  EXPECT_THAT(ParseError({"--loops"}), HasSubstr("--loops"));
  EXPECT_THAT(ParseError({"--print-reference=x"}), HasSubstr("configuration"));
}

TEST(CommandLineTest, AFlagGivenTwiceIsAProblem) {
  const CommandLine line = Parse({"--loops", "1", "--loops", "2"});
  ConfigSources sources;
  sources.flags = line.flags;
  sources.environment["HOME"] = "/somewhere";
  const LoadedConfig loaded = LoadConfig(sources);
  ASSERT_EQ(loaded.problems.size(), 1u);
  EXPECT_EQ(ToString(loaded.problems.front()), "--loops: loops: given twice");
}

TEST(CommandLineTest, HelpNamesEveryFlag) {
  const std::string help = HelpText("musterd");
  Config config;
  for (const Option& option : Options(config)) EXPECT_THAT(help, HasSubstr("  " + FlagOf(option)));
  EXPECT_THAT(help, HasSubstr("  --insecure\n"));
}

TEST(ValueText, DurationsAndSizes) {
  EXPECT_EQ(ParseDuration("1h30m"), base::Duration(std::chrono::minutes(90)));
  EXPECT_EQ(ParseDuration("250us"), base::Duration(250));
  EXPECT_EQ(ParseDuration("2d1ms"), base::Duration(2ll * 86'400'000'000 + 1000));
  EXPECT_EQ(ParseDuration("0"), base::Duration(0));
  for (const char* wrong : {"", "5", "5 s", "-1s", "1.5s", "s", "1sm", "106751992d", "99999999999999999999s"}) {
    EXPECT_EQ(ParseDuration(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(DurationText(std::chrono::minutes(90)), "1h30m");
  EXPECT_EQ(DurationText(base::Duration(0)), "0");
  EXPECT_EQ(ParseBytes("4MiB"), 4u << 20);
  EXPECT_EQ(ParseBytes("4 mib"), 4u << 20);
  EXPECT_EQ(ParseBytes("5KB"), 5000u);
  EXPECT_EQ(ParseBytes("17"), 17u);
  for (const char* wrong : {"", "MiB", "-1", "1.5MiB", "4Mi", "99999999TiB"}) {
    EXPECT_EQ(ParseBytes(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(BytesText(4u << 20), "4MiB");
  EXPECT_EQ(BytesText(1000), "1000");
}

TEST(ValueText, DidYouMeanOnlyWhatIsNear) {
  const std::vector<std::string> words = {"blocking.threads", "blocking.queue", "loops"};
  EXPECT_EQ(DidYouMean("bloking.threads", words), "blocking.threads");
  EXPECT_EQ(DidYouMean("lops", words), "loops");
  EXPECT_EQ(DidYouMean("entirely.different", words), std::nullopt);
}

TEST(HostPortTest, TakesNumericHostsAndLocalhost) {
  HostPort parsed;
  EXPECT_TRUE(ParseHostPort("127.0.0.1:0", &parsed));
  EXPECT_TRUE(ParseHostPort("[::1]:7411", &parsed));
  EXPECT_EQ(parsed.host, "::1");
  EXPECT_EQ(parsed.port, 7411);
  EXPECT_TRUE(IsLoopback(parsed.host));
  EXPECT_FALSE(IsLoopback("0.0.0.0"));
  for (const char* wrong : {"", "7411", ":7411", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:7411",
                            "example.org:1", "1.2.3:4", "127.0.0.1:-1"}) {
    EXPECT_FALSE(ParseHostPort(wrong, &parsed)) << wrong;
  }
}

TEST_F(ConfigTest, ANamespaceGetsHalfOfTheMemoryUnlessSomebodySaysOtherwise) {
  const auto with = [](uint64_t memory, std::map<std::string, std::string> environment = {}) {
    ConfigSources sources;
    sources.memory_bytes = memory;
    sources.environment = std::move(environment);
    return Load(std::move(sources));
  };
  const uint64_t full = Config().limits.namespace_bytes_max;
  EXPECT_EQ(with(8 * full).config.limits.namespace_bytes_max, full);
  EXPECT_EQ(with(8 * full).origins["limits.namespace_bytes_max"], "default");
  EXPECT_EQ(with(full).config.limits.namespace_bytes_max, full / 2);
  EXPECT_EQ(with(full).origins["limits.namespace_bytes_max"], "half of the memory limit");
  EXPECT_EQ(with(1000).config.limits.namespace_bytes_max, 1u << 20) << "the least that is allowed";
  EXPECT_EQ(with(full, {{"MUSTER_LIMITS_NAMESPACE_BYTES_MAX", "3GiB"}}).config.limits.namespace_bytes_max, 3ull << 30);
}

}  // namespace
}  // namespace muster::app

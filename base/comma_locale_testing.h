#ifndef COTANGENT_BASE_COMMA_LOCALE_TESTING_H_
#define COTANGENT_BASE_COMMA_LOCALE_TESTING_H_

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace cotangent {

// For tests: while an object of this class exists, the program's locale writes 1,5 for 1.5, as
// de_DE.UTF-8 does, which need not be installed. At most one such object exists.
class CommaLocale {
 public:
  CommaLocale() {
    // glibc's file of a locale's numbers: a mark, the number of fields, the place of each, and the
    // fields, of which the first is the decimal point.
    constexpr char kNumbers[] =
        "\x14\x11\x03\x20\6\0\0\0\x20\0\0\0\x22\0\0\0\x24\0\0\0\x28\0\0\0\x2c\0\0\0\x30\0\0\0"
        ",\0.\0\3\3\0\0,\0\0\0.\0\0\0UTF-8";
    const std::filesystem::path folder = testing::TempDir() + "/locales";
    std::filesystem::create_directories(folder / "comma");
    std::ofstream(folder / "comma" / "LC_NUMERIC", std::ios::binary)
        .write(kNumbers, sizeof(kNumbers));
    setenv("LOCPATH", folder.c_str(), 1);
    EXPECT_NE(std::setlocale(LC_NUMERIC, "comma"), nullptr);
    char text[8];
    std::snprintf(text, sizeof(text), "%.1f", 1.5);
    EXPECT_STREQ(text, "1,5");
  }
  ~CommaLocale() { std::setlocale(LC_NUMERIC, "C"); }
  CommaLocale(const CommaLocale&) = delete;
  CommaLocale& operator=(const CommaLocale&) = delete;
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_COMMA_LOCALE_TESTING_H_

#include "base/editor_text.h"

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(ValidUtf8, KeepsWhatIsValidAndReplacesEachOtherByte) {
  constexpr char kReplaced[] = "\xef\xbf\xbd";
  EXPECT_EQ(ValidUtf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
            "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(ValidUtf8(""), "");
  // A continuation byte without a first byte (0x80), bytes that begin no character (0xff, 0xf8),
  // and a first byte whose continuation is missing (0xc3).
  for (const char* text : {"\x80", "\xff", "\xc3", "\xf8"}) EXPECT_EQ(ValidUtf8(text), kReplaced);
  EXPECT_EQ(ValidUtf8("\xe2\x82"), std::string(kReplaced) + kReplaced);
  EXPECT_EQ(ValidUtf8("\xc3s"), std::string(kReplaced) + "s");
}

// Tests the byte sequences that RFC 3629, section 3, forbids, and their valid neighbours.
TEST(ValidUtf8, RefusesOverlongFormsSurrogatesAndWhatIsBeyondUnicode) {
  for (const char* text :
       {"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    const std::string valid = ValidUtf8(text);
    EXPECT_EQ(valid.substr(0, 3), "\xef\xbf\xbd") << text;
    EXPECT_EQ(ForeignCharacterAt(text).bytes, 1) << text;
  }
  for (const char* text : {"\xe0\xa0\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(ValidUtf8(text), text);
}

}  // namespace
}  // namespace cotangent

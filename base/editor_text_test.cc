#include "base/editor_text.h"

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(Printable, KeepsWhatIsValidUtf8AndReplacesEachOtherByte) {
  constexpr char kReplaced[] = "\xef\xbf\xbd";
  EXPECT_EQ(Printable("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
            "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(Printable(""), "");
  // A continuation byte without a first byte (0x80), bytes that begin no character (0xff, 0xf8),
  // and a first byte whose continuation is missing (0xc3).
  for (const char* text : {"\x80", "\xff", "\xc3", "\xf8"}) EXPECT_EQ(Printable(text), kReplaced);
  EXPECT_EQ(Printable("\xe2\x82"), std::string(kReplaced) + kReplaced);
  EXPECT_EQ(Printable("\xc3s"), std::string(kReplaced) + "s");
}

// Tests the byte sequences that RFC 3629, section 3, forbids, and their valid neighbours.
TEST(Printable, RefusesOverlongFormsSurrogatesAndWhatIsBeyondUnicode) {
  for (const char* text :
       {"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    const std::string valid = Printable(text);
    EXPECT_EQ(valid.substr(0, 3), "\xef\xbf\xbd") << text;
    EXPECT_EQ(ForeignCharacterAt(text).bytes, 1) << text;
  }
  for (const char* text : {"\xe0\xa0\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(Printable(text), text);
}

// For a terminal, ESC (0x1b) and the C1 character U+009B begin control sequences (ECMA-48).
TEST(Printable, ReplacesControlCharactersButNewlinesAndTabs) {
  EXPECT_EQ(Printable("a\nb\tc \x7e\u00a0"), "a\nb\tc \x7e\u00a0");
  for (const char* text : {"\x1b", "\r", "\a", "\b", "\x01", "\x7f", "\u0080", "\u009b", "\u009f"})
    EXPECT_EQ(Printable(text), "\xef\xbf\xbd");
  EXPECT_EQ(Printable(std::string("\0", 1)), "\xef\xbf\xbd");
}

// "\u202e" would show what follows it, such as the numbers after a name, backwards. Letters of
// scripts that are written from right to left do so only to themselves.
TEST(Printable, ReplacesWhatTurnsTheDirectionOfText) {
  for (const char* text : {"\u202a", "\u202e", "\u2066", "\u2069"})
    EXPECT_EQ(Printable(text), "\xef\xbf\xbd");
  for (const char* text : {"\u2029", "\u202f", "\u2065", "\u206a", "\u05d0\u05d1"})
    EXPECT_EQ(Printable(text), text);
}

TEST(WideEncoding, ByItsMarkOrTheZerosOfAscii) {
  for (const std::string& text :
       {std::string("\xff\xfel\0", 4), std::string("\xfe\xff\0l", 4), std::string("l\0a\0", 4),
        std::string("\0l\0a", 4), std::string("\xff\xfe"), std::string("l\0", 2)})
    EXPECT_EQ(WideEncodingOf(text), "UTF-16");
  for (const std::string& text :
       {std::string("\xff\xfe\0\0l\0\0\0", 8), std::string("\0\0\xfe\xff\0\0\0l", 8),
        std::string("l\0\0\0", 4), std::string("\0\0\0l", 4)})
    EXPECT_EQ(WideEncodingOf(text), "UTF-32");
  for (const std::string& text :
       {std::string(), std::string("l"), std::string("la"), std::string("\0", 1),
        std::string("\0\0\0\0", 4), std::string("\xef\xbb\xbfla")})
    EXPECT_EQ(WideEncodingOf(text), "");
}

}  // namespace
}  // namespace cotangent

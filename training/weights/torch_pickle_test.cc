#include "training/weights/torch_pickle.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Returns the opcode BINUNICODE with a text of fewer than 256 bytes.
std::string Text(const std::string& text) {
  return absl::StrCat("X", std::string(1, static_cast<char>(text.size())), std::string(3, '\0'),
                      text);
}

// Returns a pickle of protocol 2 that describes the dictionary {"w": a tensor in storage "0"}.
// `shape` is the opcodes that push the tensor's shape; `function` is the module and the name of the
// function that makes the tensor, a line each.
std::string Pickle(const std::string& shape,
                   const std::string& function = "torch._utils\n_rebuild_tensor_v2\n") {
  const std::string storage = absl::StrCat("(", Text("storage"), "ctorch\nFloatStorage\n",
                                           Text("0"), Text("cpu"), "K\x06tQ");
  return absl::StrCat("\x80\x02}", Text("w"), "c", function, "(", storage, std::string("K\0", 2),
                      shape, "K\x02K\x01\x86\x89}tRs.");
}

TEST(TorchPickle, NamesTensors) {
  const auto tensors = ReadTorchPickle(Pickle("K\x03K\x02\x86"));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 1u);
  const PickledTensor& tensor = (*tensors)[0];
  EXPECT_EQ(tensor.name, "w");
  EXPECT_EQ(tensor.storage_type, "FloatStorage");
  EXPECT_EQ(tensor.storage, "0");
  EXPECT_THAT(tensor.shape, ElementsAre(3, 2));
  EXPECT_THAT(tensor.strides, ElementsAre(2, 1));
}

TEST(TorchPickle, RefusesToRunAnything) {
  for (const char* function :
       {"os\nsystem\n", "builtins\neval\n", "posix\nsystem\n", "torch.hub\nload\n",
        "torch._utils\n_rebuild_qtensor\n", "torch.storage\n_load_from_bytes\n"}) {
    const auto tensors = ReadTorchPickle(Pickle("K\x03K\x02\x86", function));
    ASSERT_FALSE(tensors.ok()) << function;
    EXPECT_THAT(tensors.status().message(), HasSubstr("wants to run"));
    EXPECT_THAT(tensors.status().message(), HasSubstr("torch.save(model.state_dict(), path)"));
  }
}

TEST(TorchPickle, WhatIsCutShortAnywhereIsAnError) {
  const std::string pickle = Pickle("K\x03K\x02\x86");
  for (size_t size = 0; size < pickle.size(); ++size)
    EXPECT_FALSE(ReadTorchPickle(pickle.substr(0, size)).ok()) << size;
}

// Every value takes a hundred times the memory of its byte in the pickle.
TEST(TorchPickle, RefusesEnormousPickles) {
  EXPECT_THAT(ReadTorchPickle(std::string(3'000'000, '(')).status().message(),
              HasSubstr("more than 2000000 values; in Python, write the weights alone"));
  // A value that is recalled again and again is only one.
  std::string recalls = "Nq\x01";
  for (int i = 0; i < 10'000'000; ++i) recalls += "h\x01";
  EXPECT_THAT(ReadTorchPickle(recalls).status().message(), HasSubstr("more than 16777216 bytes"));
}

TEST(TorchPickle, RefusesWhatIsNoDictionaryOfTensors) {
  EXPECT_THAT(ReadTorchPickle("N.").status().message(), HasSubstr("no dictionary"));
  EXPECT_THAT(ReadTorchPickle("}.").status().message(), HasSubstr("no tensors"));
  EXPECT_THAT(ReadTorchPickle("0.").status().message(), HasSubstr("stack"));
  EXPECT_THAT(ReadTorchPickle("t.").status().message(), HasSubstr("mark"));
  EXPECT_THAT(ReadTorchPickle("h\x07.").status().message(), HasSubstr("recalls"));
  EXPECT_THAT(ReadTorchPickle("I7\n.").status().message(), HasSubstr("opcode 0x49"));
}

}  // namespace
}  // namespace cotangent::training

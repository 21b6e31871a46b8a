#include "training/weights/torch_pickle.h"

#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace cotangent::training {
namespace {

constexpr char kSaveAgain[] =
    "; in Python, write the weights alone: torch.save(model.state_dict(), path)";

absl::Status Refused(absl::string_view finding) {
  return absl::InvalidArgumentError(absl::StrCat(finding, kSaveAgain));
}

// Index of a value in Unpickler::values_. Values are never removed.
using Ref = int32_t;

struct Value {
  enum Kind {
    // None, truth values, fractions and bytes. Their values are not kept, since no tensor depends
    // on them.
    kOpaque,
    kNumber,  // an integer, in `number`
    kText,
    kTuple,    // or a list; its elements are `items`
    kDict,     // `items` are key, value, key, value, ...
    kName,     // the name, in `text`, of a function or class that is allowed
    kStorage,  // `items` are ("storage", type, key, location, size)
    kTensor,   // `items` are (storage, offset, shape, strides, ...)
    kMark,
  } kind = kOpaque;
  int64_t number = 0;
  std::string text = {};
  std::vector<Ref> items = {};
};

constexpr absl::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr absl::string_view kRebuildParameter = "torch._utils._rebuild_parameter";
constexpr absl::string_view kOrderedDict = "collections.OrderedDict";
constexpr absl::string_view kSize = "torch.Size";

// Longer names and longer lists of arguments are refused. Otherwise a pickle could fill the memory
// by copying a long name or list again and again.
constexpr size_t kLongestName = 256, kMostArguments = 8, kStorageParts = 5;

// A value takes a byte of the pickle and 100 bytes of memory. With these limits, a pickle cannot ask
// for more than some hundreds of megabytes. PyTorch's pickles have about 20 values, and 200 bytes,
// for each tensor.
constexpr size_t kMostValues = 2'000'000, kMostBytes = size_t{16} << 20;

bool IsAllowed(absl::string_view name) {
  if (name.size() > kLongestName) return false;
  return name == kRebuildTensor || name == kRebuildParameter || name == kOrderedDict ||
         name == kSize || (absl::StartsWith(name, "torch.") && absl::EndsWith(name, "Storage"));
}

// The stack machine that interprets a pickle: opcodes push values on a stack and combine them.
class Unpickler {
 public:
  explicit Unpickler(absl::string_view pickle) : pickle_(pickle) {}

  // Executes the pickle and returns the value that is left on the stack at its end.
  absl::StatusOr<Ref> Run() {
    while (!stopped_) {
      if (pickle_.empty()) return Refused("the pickle ends before it is complete");
      const unsigned char opcode = Take(1)[0];
      RETURN_IF_ERROR(Execute(opcode));
      if (values_.size() > kMostValues)
        return Refused(absl::StrCat("the pickle has more than ", kMostValues, " values"));
    }
    return Pop();
  }
  const Value& operator[](Ref ref) const { return values_[ref]; }

 private:
  // The opcodes that PyTorch uses, with their names in pickletools.py.
  enum Opcode : unsigned char {
    kMark = '(',
    kStop = '.',
    kPop = '0',
    kPopMark = '1',
    kBinFloat = 'G',
    kBinInt = 'J',
    kBinInt1 = 'K',
    kBinInt2 = 'M',
    kNone = 'N',
    kBinPersId = 'Q',
    kReduce = 'R',
    kBinUnicode = 'X',
    kAppend = 'a',
    kBuild = 'b',
    kGlobal = 'c',
    kAppends = 'e',
    kBinGet = 'h',
    kLongBinGet = 'j',
    kBinPut = 'q',
    kLongBinPut = 'r',
    kSetItem = 's',
    kTuple = 't',
    kSetItems = 'u',
    kEmptyTuple = ')',
    kEmptyList = ']',
    kEmptyDict = '}',
    kProto = 0x80,
    kTuple1 = 0x85,
    kTuple2 = 0x86,
    kTuple3 = 0x87,
    kNewTrue = 0x88,
    kNewFalse = 0x89,
    kLong1 = 0x8a,
    kShortBinUnicode = 0x8c,
    kStackGlobal = 0x93,
    kMemoize = 0x94,
    kFrame = 0x95,
  };

  // Returns the next `count` bytes. If the pickle ends before, returns 8 zeros and sets is_cut_,
  // which makes Execute() fail.
  absl::string_view Take(uint64_t count) {
    if (count > pickle_.size()) {
      is_cut_ = true;
      pickle_ = {};
      static constexpr char kZeros[8] = {};  // enough for every number of fixed size
      return absl::string_view(kZeros, sizeof(kZeros));
    }
    const absl::string_view bytes = pickle_.substr(0, count);
    pickle_.remove_prefix(count);
    return bytes;
  }
  // Reads an unsigned little-endian number of `bytes` bytes, at most 8.
  uint64_t TakeUnsigned(int bytes) {
    const absl::string_view raw = Take(bytes);
    uint64_t number = 0;
    for (int i = bytes - 1; i >= 0; --i) number = number << 8 | static_cast<unsigned char>(raw[i]);
    return number;
  }
  std::string TakeText(uint64_t bytes) {
    const absl::string_view text = Take(bytes);
    return is_cut_ ? "" : std::string(text);
  }
  std::string TakeLine() {
    const size_t end = pickle_.find('\n');
    if (end == absl::string_view::npos) {
      is_cut_ = true;
      return "";
    }
    return std::string(Take(end + 1).substr(0, end));
  }

  void Push(Value value) {
    stack_.push_back(static_cast<Ref>(values_.size()));
    values_.push_back(std::move(value));
  }
  void PushNumber(int64_t number) { Push({.kind = Value::kNumber, .number = number}); }
  void PushText(std::string text) { Push({.kind = Value::kText, .text = std::move(text)}); }

  absl::Status NeedStack(size_t count) const {
    return stack_.size() >= count ? absl::OkStatus()
                                  : Refused("the pickle takes more from its stack than there is");
  }
  absl::StatusOr<Ref> Pop() {
    RETURN_IF_ERROR(NeedStack(1));
    const Ref top = stack_.back();
    stack_.pop_back();
    return top;
  }
  absl::StatusOr<std::vector<Ref>> PopSeveral(size_t count) {
    RETURN_IF_ERROR(NeedStack(count));
    std::vector<Ref> items(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  // Pops all values above the topmost mark, and the mark; returns the values.
  absl::StatusOr<std::vector<Ref>> PopToMark() {
    size_t count = 0;
    while (count < stack_.size() && values_[stack_[stack_.size() - 1 - count]].kind != Value::kMark)
      ++count;
    if (count == stack_.size()) return Refused("the pickle takes back to a mark it did not set");
    ASSIGN_OR_RETURN(std::vector<Ref> items, PopSeveral(count));
    stack_.pop_back();
    return items;
  }

  absl::Status Execute(unsigned char opcode);
  absl::Status ExecuteLiteral(unsigned char opcode, bool* done);
  absl::Status Name(absl::string_view module, absl::string_view name);
  absl::Status Reduce();
  absl::Status Extend(std::vector<Ref> items, Value::Kind kind);
  absl::Status Remember(uint64_t key) {
    RETURN_IF_ERROR(NeedStack(1));
    memo_[key] = stack_.back();
    return absl::OkStatus();
  }
  absl::Status Recall(uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) return Refused("the pickle recalls what it did not remember");
    stack_.push_back(found->second);
    return absl::OkStatus();
  }

  absl::string_view pickle_;
  std::vector<Value> values_;
  std::vector<Ref> stack_;
  absl::flat_hash_map<uint64_t, Ref> memo_;
  bool is_cut_ = false, stopped_ = false;
};

absl::Status Unpickler::Name(absl::string_view module, absl::string_view name) {
  std::string full = absl::StrCat(module, ".", name);
  if (!IsAllowed(full)) {
    return Refused(absl::StrCat("the pickle wants to run '", full.substr(0, 100),
                                "', which was not done: only tensors and their names are read"));
  }
  Push({.kind = Value::kName, .text = std::move(full)});
  return absl::OkStatus();
}

// Executes a call: pops a function's name and its tuple of arguments, and pushes the result. For
// the function that makes a tensor this is a value that records the arguments; for a parameter or a
// torch.Size the first argument; for a dictionary an empty dictionary.
absl::Status Unpickler::Reduce() {
  ASSIGN_OR_RETURN(const std::vector<Ref> call, PopSeveral(2));
  const Value &function = values_[call[0]], &arguments = values_[call[1]];
  if (function.kind != Value::kName || arguments.kind != Value::kTuple)
    return Refused("the pickle calls what is no function");
  if (arguments.items.size() > kMostArguments)
    return Refused("the pickle calls a function with too many arguments");
  if (function.text == kRebuildTensor) {
    Push({.kind = Value::kTensor, .items = arguments.items});
  } else if (function.text == kRebuildParameter && !arguments.items.empty()) {
    stack_.push_back(arguments.items[0]);
  } else if (function.text == kSize && arguments.items.size() == 1) {
    stack_.push_back(arguments.items[0]);
  } else if (function.text == kOrderedDict && arguments.items.empty()) {
    Push({.kind = Value::kDict});
  } else {
    return Refused(absl::StrCat("the pickle calls ", function.text,
                                " with other arguments than PyTorch gives it"));
  }
  return absl::OkStatus();
}

// Appends `items` to the dictionary (`kind` kDict) or list (`kind` kTuple) on top of the stack.
absl::Status Unpickler::Extend(std::vector<Ref> items, Value::Kind kind) {
  RETURN_IF_ERROR(NeedStack(1));
  Value& value = values_[stack_.back()];
  if (value.kind != kind || (kind == Value::kDict && items.size() % 2 != 0))
    return Refused("the pickle adds to what is no dictionary or list");
  value.items.insert(value.items.end(), items.begin(), items.end());
  return absl::OkStatus();
}

// Executes `opcode` if it pushes a mark, a constant, or an empty tuple, list or dictionary. Sets
// *done to whether it is such an opcode.
absl::Status Unpickler::ExecuteLiteral(unsigned char opcode, bool* done) {
  *done = true;
  switch (opcode) {
    case kMark:
      Push({.kind = Value::kMark});
      break;
    case kNone:
    case kNewTrue:
    case kNewFalse:
      Push({});
      break;
    case kBinFloat:
      Take(8);
      Push({});
      break;
    case kBinInt:
      PushNumber(static_cast<int32_t>(TakeUnsigned(4)));
      break;
    case kBinInt1:
      PushNumber(static_cast<int64_t>(TakeUnsigned(1)));
      break;
    case kBinInt2:
      PushNumber(static_cast<int64_t>(TakeUnsigned(2)));
      break;
    case kLong1: {
      const uint64_t bytes = TakeUnsigned(1);
      if (bytes > 8) return Refused("the pickle holds a number of more than 64 bits");
      uint64_t number = TakeUnsigned(static_cast<int>(bytes));
      const int unused = 64 - 8 * static_cast<int>(bytes);
      if (bytes > 0)
        PushNumber(static_cast<int64_t>(number << unused) >> unused);
      else
        PushNumber(0);
      break;
    }
    case kBinUnicode:
      PushText(TakeText(TakeUnsigned(4)));
      break;
    case kShortBinUnicode:
      PushText(TakeText(TakeUnsigned(1)));
      break;
    case kEmptyTuple:
    case kEmptyList:
      Push({.kind = Value::kTuple});
      break;
    case kEmptyDict:
      Push({.kind = Value::kDict});
      break;
    default:
      *done = false;
  }
  return absl::OkStatus();
}

absl::Status Unpickler::Execute(unsigned char opcode) {
  bool done;
  RETURN_IF_ERROR(ExecuteLiteral(opcode, &done));
  if (!done) {
    switch (opcode) {
      case kProto:
        Take(1);
        break;
      case kFrame:
        Take(8);
        break;
      case kStop:
        stopped_ = true;
        break;
      case kPop:
        RETURN_IF_ERROR(Pop().status());
        break;
      case kPopMark:
        RETURN_IF_ERROR(PopToMark().status());
        break;
      case kGlobal: {
        const std::string module = TakeLine(), name = TakeLine();
        RETURN_IF_ERROR(Name(module, name));
        break;
      }
      case kStackGlobal: {
        ASSIGN_OR_RETURN(const std::vector<Ref> names, PopSeveral(2));
        RETURN_IF_ERROR(Name(values_[names[0]].text, std::string(values_[names[1]].text)));
        break;
      }
      case kBinPersId: {
        ASSIGN_OR_RETURN(const Ref id, Pop());
        if (values_[id].items.size() != kStorageParts)
          return Refused("the pickle refers to a storage not as PyTorch does");
        Push({.kind = Value::kStorage, .items = std::vector<Ref>(values_[id].items)});
        break;
      }
      case kReduce:
        RETURN_IF_ERROR(Reduce());
        break;
      // The state of an object, such as an OrderedDict's _metadata, is not needed: it is dropped.
      case kBuild:
        RETURN_IF_ERROR(Pop().status());
        break;
      case kTuple: {
        ASSIGN_OR_RETURN(std::vector<Ref> items, PopToMark());
        Push({.kind = Value::kTuple, .items = std::move(items)});
        break;
      }
      case kTuple1:
      case kTuple2:
      case kTuple3: {
        ASSIGN_OR_RETURN(std::vector<Ref> items, PopSeveral(opcode - kTuple1 + 1));
        Push({.kind = Value::kTuple, .items = std::move(items)});
        break;
      }
      case kAppend:
      case kSetItem: {
        ASSIGN_OR_RETURN(std::vector<Ref> items, PopSeveral(opcode == kAppend ? 1 : 2));
        RETURN_IF_ERROR(Extend(std::move(items), opcode == kAppend ? Value::kTuple : Value::kDict));
        break;
      }
      case kAppends:
      case kSetItems: {
        ASSIGN_OR_RETURN(std::vector<Ref> items, PopToMark());
        RETURN_IF_ERROR(
            Extend(std::move(items), opcode == kAppends ? Value::kTuple : Value::kDict));
        break;
      }
      case kBinPut:
        RETURN_IF_ERROR(Remember(TakeUnsigned(1)));
        break;
      case kLongBinPut:
        RETURN_IF_ERROR(Remember(TakeUnsigned(4)));
        break;
      case kMemoize:
        RETURN_IF_ERROR(Remember(memo_.size()));
        break;
      case kBinGet:
        RETURN_IF_ERROR(Recall(TakeUnsigned(1)));
        break;
      case kLongBinGet:
        RETURN_IF_ERROR(Recall(TakeUnsigned(4)));
        break;
      default:
        return Refused(
            absl::StrFormat("the pickle has the opcode 0x%02x, which weights do not need", opcode));
    }
  }
  return is_cut_ ? Refused("the pickle ends before it is complete") : absl::OkStatus();
}

// Keys under which programs store the weights when they save a whole training run.
constexpr absl::string_view kUsualNames[] = {
    "state_dict", "model_state_dict", "model_state",   "model",
    "net",        "state_dict_ema",   "ema_state_dict"};

absl::StatusOr<std::vector<int64_t>> Numbers(const Unpickler& values, Ref list) {
  std::vector<int64_t> numbers;
  if (values[list].kind != Value::kTuple || values[list].items.size() > kMostArguments)
    return Refused("a tensor without a list of sizes");
  for (Ref item : values[list].items) {
    if (values[item].kind != Value::kNumber) return Refused("a tensor whose sizes are no numbers");
    numbers.push_back(values[item].number);
  }
  return numbers;
}

absl::StatusOr<PickledTensor> Describe(const Unpickler& values, const std::string& name,
                                       const Value& tensor) {
  const auto broken = [&] {
    return Refused(
        absl::StrCat("tensor ", name.substr(0, 100), " is not described as PyTorch does"));
  };
  if (name.size() > kLongestName || tensor.items.size() < 4 ||
      values[tensor.items[1]].kind != Value::kNumber)
    return broken();
  const Value& storage = values[tensor.items[0]];
  if (storage.kind != Value::kStorage || storage.items.size() != kStorageParts) return broken();
  const Value &type = values[storage.items[1]], &key = values[storage.items[2]];
  if (type.kind != Value::kName || key.kind != Value::kText) return broken();
  PickledTensor result;
  result.name = name;
  result.storage_type = type.text.substr(type.text.rfind('.') + 1);
  result.storage = key.text;
  result.offset = values[tensor.items[1]].number;
  ASSIGN_OR_RETURN(result.shape, Numbers(values, tensor.items[2]));
  ASSIGN_OR_RETURN(result.strides, Numbers(values, tensor.items[3]));
  return result;
}

absl::StatusOr<std::vector<PickledTensor>> TensorsOf(const Unpickler& values, const Value& dict) {
  std::vector<PickledTensor> tensors;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const Value &key = values[dict.items[i]], &value = values[dict.items[i + 1]];
    if (value.kind != Value::kTensor || key.kind != Value::kText) continue;
    ASSIGN_OR_RETURN(PickledTensor tensor, Describe(values, key.text, value));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace

absl::StatusOr<std::vector<PickledTensor>> ReadTorchPickle(absl::string_view pickle) {
  if (pickle.size() > kMostBytes)
    return Refused(absl::StrCat("the pickle has more than ", kMostBytes, " bytes"));
  Unpickler values(pickle);
  ASSIGN_OR_RETURN(const Ref result, values.Run());
  const Value& dict = values[result];
  if (dict.kind != Value::kDict) return Refused("the file holds no dictionary of tensors");
  ASSIGN_OR_RETURN(std::vector<PickledTensor> tensors, TensorsOf(values, dict));
  if (!tensors.empty()) return tensors;
  for (absl::string_view usual : kUsualNames) {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const Value &key = values[dict.items[i]], &inner = values[dict.items[i + 1]];
      if (key.kind != Value::kText || key.text != usual || inner.kind != Value::kDict) continue;
      ASSIGN_OR_RETURN(tensors, TensorsOf(values, inner));
      if (!tensors.empty()) return tensors;
    }
  }
  return Refused("the file's dictionary holds no tensors");
}

}  // namespace cotangent::training

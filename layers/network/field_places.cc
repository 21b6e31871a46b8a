// Remembers where fields, such as all those of the training settings, stand in a network text (the
// .textproto file that describes a network), so that errors found later can name the place.

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "layers/network/network_text.h"

namespace cotangent::layers {
namespace {

bool IsOfPath(char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '[' || c == ']';
}

// Returns whether `path` equals `whole`, or is the path of a message or list that contains the
// field at the path `whole`.
bool Holds(absl::string_view path, absl::string_view whole) {
  if (!absl::StartsWith(whole, path)) return false;
  return whole.size() == path.size() || whole[path.size()] == '.' || whole[path.size()] == '[';
}

}  // namespace

void NotePlace(Network& network, absl::string_view path, absl::string_view place) {
  auto& places = *network.mutable_field_place();
  places.erase(
      std::remove_if(places.begin(), places.end(),
                     [&](const Network::FieldPlace& noted) { return Holds(path, noted.path()); }),
      places.end());
  Network::FieldPlace& noted = *places.Add();
  noted.set_path(std::string(path));
  noted.set_place(std::string(place));
}

absl::Status AtPlace(const Network& network, const absl::Status& error) {
  const absl::string_view message = error.message();
  const auto end = std::find_if_not(message.begin(), message.end(), IsOfPath);
  const absl::string_view path = message.substr(0, end - message.begin());
  const Network::FieldPlace* nearest = nullptr;
  for (const Network::FieldPlace& noted : network.field_place()) {
    // If the elements of a list are given one by one, the place of the first element stands for the
    // place of the list.
    if (!Holds(noted.path(), path) && noted.path() != absl::StrCat(path, "[0]")) continue;
    if (nearest == nullptr || noted.path().size() > nearest->path().size()) nearest = &noted;
  }
  if (nearest == nullptr) return error;
  return absl::Status(error.code(), absl::StrCat(nearest->place(), ": ", message));
}

}  // namespace cotangent::layers

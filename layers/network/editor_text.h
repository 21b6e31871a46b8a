// Network texts as editors and word processors leave them.
#ifndef COTANGENT_LAYERS_NETWORK_EDITOR_TEXT_H_
#define COTANGENT_LAYERS_NETWORK_EDITOR_TEXT_H_

#include "absl/status/status.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {

// An error at the first character outside of comments and quotes that is not ASCII, with its name
// and what to write instead: typographic quotes, no-break spaces, dashes, whatever else; and where
// a typographic quote closes what a plain one has opened. Names a text in UTF-16, too.
absl::Status CheckCharacters(const Source& source);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_EDITOR_TEXT_H_

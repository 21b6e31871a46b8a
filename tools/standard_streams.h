// Standard output that is lost is noticed, and no file of a program's own takes the place of a
// standard stream.
#ifndef COTANGENT_TOOLS_STANDARD_STREAMS_H_
#define COTANGENT_TOOLS_STANDARD_STREAMS_H_

namespace cotangent::tools {

// To be called first in main(); nothing more is needed.
//
// When the program then ends, by return from main() or by exit(), what was printed to standard
// output is brought to its end. If any of it could not be written (a full disk, a closed stream),
// standard error is told, and an exit code of 0 becomes 1.
//
// Standard streams that are closed are opened to nothing: else the next file that is opened, say
// metrics.jsonl, would take their number and whatever is printed. Reading finds the end of input,
// errors vanish, results are lost and noticed as above.
void GuardStandardStreams();

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_STANDARD_STREAMS_H_

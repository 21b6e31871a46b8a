#ifndef COTANGENT_TOOLS_TEXT_TABLE_H_
#define COTANGENT_TOOLS_TEXT_TABLE_H_

#include <string>
#include <vector>

namespace cotangent::tools {

// Formats rows of cells as a table, indented by two blanks. Columns are padded to their widest
// cell, counted in bytes; those marked in `left` are left-aligned, the others right-aligned.
// REQUIRES: no row has more than left.size() cells.
std::string TextTable(const std::vector<std::vector<std::string>>& rows,
                      const std::vector<bool>& left);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_TEXT_TABLE_H_

#ifndef COTANGENT_TOOLS_TEXT_TABLE_H_
#define COTANGENT_TOOLS_TEXT_TABLE_H_

#include <string>
#include <vector>

namespace cotangent::tools {

// Rows of cells, indented by two blanks, columns padded to their widest cell: those marked in
// `left` are left-aligned, the others right-aligned. Every row has at most left.size() cells.
std::string TextTable(const std::vector<std::vector<std::string>>& rows,
                      const std::vector<bool>& left);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_TEXT_TABLE_H_

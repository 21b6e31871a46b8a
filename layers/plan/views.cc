// Finds tensors that can be stored as part of a wider tensor (see views.h), so that joining or
// slicing channels copies nothing.

#include "layers/plan/views.h"

#include <algorithm>

#include "layers/plan/assign.h"

namespace cotangent::layers {

ViewRoot RootOf(const std::map<TensorId, ChannelView>& views, TensorId t) {
  ViewRoot root{t, 0};
  for (auto view = views.find(t); view != views.end(); view = views.find(root.tensor))
    root = {view->second.whole, root.channel + view->second.channel};
  return root;
}

std::map<TensorId, ChannelView> FindViews(const Graph& graph, const Schedule& schedule,
                                          const Residence& residence, ElementType precision) {
  std::vector<bool> is_fixed = residence.is_fixed;
  const auto views_of = [&](const Item& item) {
    return item.node < 0 ? std::vector<ChannelView>()
                         : graph.node(item.node).op->Views(graph, graph.node(item.node));
  };
  for (const Item& item : schedule.items) {
    if (item.node < 0 || !views_of(item).empty()) continue;
    for (const auto* tensors : {&item.reads, &item.writes}) {
      for (TensorId t : *tensors) is_fixed[t] = true;
    }
  }
  std::map<TensorId, ChannelView> views;
  const auto can_lie = [&](const ChannelView& view) {
    const Shape &part = graph.shape(view.part), &whole = graph.shape(view.whole);
    const std::vector<Format>&own = residence.formats[view.part],
          &wider = residence.formats[view.whole];
    const Format format = DefaultFormat(graph, view.part, precision);
    if (is_fixed[view.part] || views.contains(view.part) || part.rank() != 4 ||
        part[2] * part[3] == 1 || format.layout != tensor::Layout::kNhwc)
      return false;
    if (own != std::vector<Format>{format} ||
        std::find(wider.begin(), wider.end(), format) == wider.end())
      return false;
    // If a slice is stored inside the wider tensor, the whole wider tensor stays in memory as long
    // as the slice is used. That is accepted if the slice is at least half of the wider tensor, or
    // if the wider tensor is used as long in any case.
    const bool is_cut_out = graph.producer(view.part).inputs == std::vector<TensorId>{view.whole};
    return !is_cut_out || 2 * part[1] >= whole[1] ||
           residence.last_use[view.whole] >= residence.last_use[view.part];
  };
  for (const Item& item : schedule.items) {
    for (const ChannelView& view : views_of(item)) {
      if (can_lie(view)) views[view.part] = view;
    }
  }
  return views;
}

}  // namespace cotangent::layers

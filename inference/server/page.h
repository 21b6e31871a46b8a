#ifndef COTANGENT_INFERENCE_SERVER_PAGE_H_
#define COTANGENT_INFERENCE_SERVER_PAGE_H_

namespace cotangent::inference {

// page.html.
extern const char kPage[];

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_PAGE_H_

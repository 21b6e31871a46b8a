#ifndef COTANGENT_INFERENCE_SERVER_PAGE_H_
#define COTANGENT_INFERENCE_SERVER_PAGE_H_

namespace cotangent::inference {

// The contents of page.html, the page for trying the network in a browser.
extern const char kPage[];

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_PAGE_H_

/* A stand-in for libedgetpu, with DEVICES USB sticks (3 at most): its C functions, and a delegate that runs the
 * RESHAPE operators of a model. BUSY: the sticks do not start. MUTE: without the C functions. */
#include <stdlib.h>
#include <string.h>

#include "../delegates/litert.h"

#ifndef DEVICES
#define DEVICES 2
#endif
#define RESHAPE 22 /* in tensorflow/lite/builtin_ops.h */
#define MMAP_RO 1  /* of constants, such as the new shape */

static TfLiteStatus prepared(TfLiteContext *context, TfLiteNode *node) {
  (void)context, (void)node;
  return 0;
}

static TfLiteStatus copied(TfLiteContext *context, TfLiteNode *node) {
  TfLiteTensor *out = &context->tensors[node->outputs->data[0]];
  for (int i = 0; i < node->inputs->size; i++) {
    TfLiteTensor *in = &context->tensors[node->inputs->data[i]];
    if (in->allocation_type != MMAP_RO) memcpy(out->data, in->data, out->bytes);
  }
  return 0;
}

static TfLiteStatus claimed(TfLiteContext *context, TfLiteDelegate *delegate) {
  const TfLiteRegistration kernel = {
      .prepare = prepared, .invoke = copied, .custom_name = "StandIn", .version = 1};
  TfLiteIntArray *plan;
  if (context->GetExecutionPlan(context, &plan)) return 1;
  TfLiteIntArray *mine = calloc(plan->size + 1, sizeof(int));
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode *node;
    TfLiteRegistration *registration;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration)) return 1;
    if (registration->builtin_code == RESHAPE) mine->data[mine->size++] = plan->data[i];
  }
  TfLiteStatus status =
      context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, mine, delegate);
  free(mine);
  return status;
}

TfLiteDelegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                              void (*report)(const char *)) {
  for (size_t i = 0; i < count; i++) {
    const char *number = strchr(values[i], ':');
    if (strcmp(keys[i], "device") || (number && atoi(number + 1) >= DEVICES)) {
      report("no such option or device");
      return NULL;
    }
  }
#ifdef BUSY
  return NULL;
#endif
  TfLiteDelegate *delegate = calloc(1, sizeof *delegate);
  delegate->Prepare = claimed;
  return delegate;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate *delegate) { free(delegate); }

#ifndef MUTE
struct edgetpu_device {
  int type;
  const char *path;
};

static const char *const PORTS[] = {
    "/sys/bus/usb/devices/2-1", "/sys/bus/usb/devices/2-2", "/sys/bus/usb/devices/1-4"};

struct edgetpu_device *edgetpu_list_devices(size_t *count) {
  struct edgetpu_device *found = calloc(DEVICES + 1, sizeof *found);
  for (int i = 0; i < DEVICES; i++) {
    found[i].type = 1;
    found[i].path = PORTS[i];
  }
  *count = DEVICES;
  return found;
}

void edgetpu_free_devices(struct edgetpu_device *devices) { free(devices); }

const char *edgetpu_version(void) { return "BuildLabel(COMPILER=stand-in), RuntimeVersion(14)"; }
#endif

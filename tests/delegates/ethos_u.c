/* A stand-in for NXP's libethosu_delegate: takes the operators `ethos-u`, and repeats the bytes of
 * their last input in their first output. Without the option `device_name` it does not start. */
#include <stdlib.h>
#include <string.h>

#include "litert.h"

enum { ARENA = 2, CUSTOM = 6 }; /* of TfLiteAllocationType */

static int source[4096]; /* by output: the last input of its operator */

static void *init(TfLiteContext *context, const char *buffer, size_t length) { return NULL; }
static TfLiteStatus prepare(TfLiteContext *context, TfLiteNode *node) { return 0; }

static TfLiteStatus invoke(TfLiteContext *context, TfLiteNode *node) {
  int index = node->outputs->data[0];
  TfLiteTensor *in = &context->tensors[source[index]], *out = &context->tensors[index];
  for (size_t i = 0; i < out->bytes; i++) {
    ((char *)out->data)[i] = ((char *)in->data)[i % in->bytes];
  }
  return 0;
}

/* Scratch memory is an input that nobody writes, so LiteRT has no room for it. */
static void give_scratch(TfLiteContext *context, TfLiteNode *node) {
  for (int i = 0; i < node->inputs->size - 1; i++) {
    TfLiteTensor *tensor = &context->tensors[node->inputs->data[i]];
    if (tensor->allocation_type == ARENA) {
      tensor->allocation_type = CUSTOM;
      tensor->data = calloc(1, tensor->bytes + 1);
    }
  }
}

static TfLiteStatus take(TfLiteContext *context, TfLiteDelegate *delegate) {
  TfLiteRegistration kernel = {
      .init = init, .prepare = prepare, .invoke = invoke, .custom_name = "npu", .version = 1};
  TfLiteIntArray *plan;
  if (context->GetExecutionPlan(context, &plan)) return 1;
  TfLiteIntArray *mine = calloc(plan->size + 1, sizeof(int));
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode *node;
    TfLiteRegistration *found;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &found)) return 1;
    if (found->custom_name && !strcmp(found->custom_name, "ethos-u")) {
      source[node->outputs->data[0]] = node->inputs->data[node->inputs->size - 1];
      mine->data[mine->size++] = plan->data[i];
      give_scratch(context, node);
    }
  }
  TfLiteStatus done =
      context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, mine, delegate);
  free(mine);
  return done;
}

TfLiteDelegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                              void (*report)(const char *)) {
  if (count != 1 || strcmp(keys[0], "device_name")) {
    report("no device");
    return NULL;
  }
  if (!strcmp(values[0], "/dev/zero")) {
    report("the firmware of the NPU does not answer");
    return NULL;
  }
  TfLiteDelegate *delegate = calloc(1, sizeof *delegate);
  delegate->Prepare = take;
  delegate->flags = 1; /* it may prepare before what LiteRT itself cannot run */
  return delegate;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate *delegate) { free(delegate); }

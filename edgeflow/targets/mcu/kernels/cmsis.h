/* Layers by CMSIS-NN, whose functions are in a file of their own. */
#if !defined(__arm__) && !defined(__GNUC_PYTHON__)
#define __GNUC_PYTHON__ /* its name for plain C, without instructions of Arm */
#endif
#include "arm_nnfunctions.h"

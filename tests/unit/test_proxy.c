#include "t.h"
int main(void){return 0;}

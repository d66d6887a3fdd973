#include "service/app/main.h"

int main(int argc, char** argv) { return muster::app::Main(argc, argv); }

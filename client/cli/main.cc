// `muster`: the command-line client.
#include "client/cli/app.h"

int main(int argc, char** argv) { return muster::cli::Main(argc, argv); }

#include "service/app/settings/families.h"

#include <memory>

#include "service/functions/basic/family.h"
#include "service/functions/file/family.h"
#include "service/functions/http/family.h"
#include "service/functions/test/family.h"

namespace muster::app {

functions::Families AllFamilies() {
  functions::Families families;
  families.push_back(std::make_unique<functions::BasicFamily>());
  families.push_back(std::make_unique<functions::FileFamily>());
  families.push_back(std::make_unique<functions::HttpFamily>());
  families.push_back(std::make_unique<functions::TestFamily>());
  return families;
}

}  // namespace muster::app

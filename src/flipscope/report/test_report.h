// Campaigns to report on, for tests.
#pragma once

#include <string>

#include "flipscope/campaign/test_campaign.h"

namespace flipscope::testing {

class ReportTest : public InFolder {
 protected:
  std::string exhaustive() {
    CampaignOptions options;
    options.space.bits = "msb:3";
    run(options, file("run.db"), false, {}, 4);
    return file("run.db");
  }
};

}  // namespace flipscope::testing

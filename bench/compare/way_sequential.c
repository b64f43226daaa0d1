#include "ways.h"

int way_sequential(const struct workload *work)
{
    int rc = 0;

    for (int i = 0; i < work->jobs && rc == 0; i++)
        rc = do_job(work);
    return rc;
}

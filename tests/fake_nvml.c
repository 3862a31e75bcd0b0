/* NVML as a driver would have it, for one device at 0000:01:00.0. */
#include <string.h>

int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char* pci, void** device) {
    *device = (void*)1;
    return strcmp(pci, "0000:01:00.0") ? 6 : 0;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned* gpu_memory) {
    (void)device;
    gpu_memory[0] = 42, gpu_memory[1] = 7;
    return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
    (void)device;
    total_free_used[0] = 8ULL << 30, total_free_used[1] = 5ULL << 30, total_free_used[2] = 3ULL << 30;
    return 0;
}
int nvmlDeviceGetClockInfo(void* device, int type, unsigned* mhz) {
    (void)device;
    *mhz = type == 1 ? 1830 : 0;
    return 0;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
    (void)device;
    *milliwatts = 123456;
    return 0;
}
